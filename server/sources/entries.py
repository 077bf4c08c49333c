"""Entries of systems: the systems file, an entry of a call, and a server with one system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from server.errors import Violation, invalid
from server.sources.kinds import SOURCES, Folders, SourceSpec
from server.systems.entry import SourceKind, SystemEntry
from server.systems.fleet import MAX_SYSTEMS
from telemetry.document import DocumentError, parse, read, shown
from telemetry.keys import Checker, Key, Stated
from telemetry.topology.specification import DNS_LABEL

MAX_LABELS, MAX_LABEL = 32, 128
_ENTRY = "entry"
"""Field of the request that holds an entry."""


@dataclass(frozen=True, slots=True)
class StatedEntry(Stated):
    """An entry without its source and its labels."""

    EXPECTED: ClassVar = "an entry with id and source"

    id: Annotated[str, Key(
        "Identifier: a DNS label, unique.", pattern=DNS_LABEL,
        expected="a DNS label: lower case letters, digits and dashes")]  # fmt: skip
    name: Annotated[str, Key("Name for people.", default="the id")] = ""
    default: Annotated[bool, Key("Whether it is meant where no system is named.")] = False
    faults: Annotated[bool, Key(
        "Whether faults may be injected; into simulations they always may.")] = False  # fmt: skip
    actions: Annotated[bool, Key(
        "Whether remediation may act; on simulations it always may.")] = False  # fmt: skip


def read_file(path: Path) -> list[SystemEntry]:
    """Read a systems file.

    Raises
    ------
    DocumentError
        Everything that is wrong with it, with file, path and what was expected.
    """
    source = str(path)
    document = parse(read(path), source)
    checker = Checker(source)
    stated = document.get("systems") if isinstance(document, Mapping) else None
    if not isinstance(stated, Sequence) or isinstance(stated, str) or not stated:
        checker.problem(("systems",), f"expected a list of systems, got {shown(stated)}")
        stated = []
    elif unknown := [key for key in document if key != "systems"]:
        checker.problem((str(unknown[0]),), "expected the key systems alone")
    entries = [
        entry
        for i, one in enumerate(stated)
        if (entry := _entry(checker, one, ("systems", i), Folders(path.parent))) is not None
    ]
    _check_together(checker, entries)
    return checker.passed(entries, DocumentError)


def read_call(document: str, folders: Folders = Folders()) -> SystemEntry:  # noqa: B008 - frozen
    """Read the entry of a call, which names no paths, but what is in some folders.

    Raises
    ------
    ServerError
        INVALID_FIELD; each violation's field is `entry` with the path inside it.
    """
    checker = Checker(_ENTRY)
    try:
        entry = _entry(checker, parse(document, _ENTRY), (), folders)
        stated = dict(checker.passed(entry, DocumentError).stated)
    except DocumentError as error:
        raise invalid(map(_violation, error.problems)) from error
    if stated.get("default"):
        raise invalid([Violation("entry.default", "expected false: only a systems file says it")])
    return stored(stated, folders)


def stored(stated: Mapping[str, Any], folders: Folders = Folders()) -> SystemEntry:  # noqa: B008
    """Read an entry that was stored when it was added."""
    checker = Checker(_ENTRY)
    entry = checker.passed(_entry(checker, stated, (), folders), DocumentError)
    return SystemEntry(
        entry.connect, entry.id, entry.name, entry.kind, entry.labels, False, entry.speed,
        entry.stated, added=True,
    )  # fmt: skip


def _entry(
    checker: Checker, value: Any, place: tuple[str | int, ...], folders: Folders
) -> SystemEntry | None:
    """Read an entry."""
    if not isinstance(value, Mapping):
        checker.problem(place, f"expected {StatedEntry.EXPECTED}, got {shown(value)}")
        return None
    if not _has_text_keys(checker, value, place):
        return None
    rest = {key: inner for key, inner in value.items() if key not in ("source", "labels")}
    stated = checker.read(StatedEntry, rest, place)
    labels = _labels(checker, value.get("labels"), (*place, "labels"))
    source_place = (*place, "source")
    source = _source(checker, value.get("source"), source_place)
    connect = source.connect(folders, checker, source_place) if source else None
    if stated is not None and len(stated.name) > MAX_LABEL:
        checker.problem((*place, "name"), f"expected at most {MAX_LABEL} characters")
    if stated is None or source is None or connect is None:
        return None
    return SystemEntry(
        connect, stated.id, stated.name, SourceKind(source.kind), labels,
        stated.default, source.speed, dict(value),
    )  # fmt: skip


def _source(checker: Checker, value: Any, place: tuple[str | int, ...]) -> SourceSpec | None:
    kinds = [kind.value for kind in SOURCES]
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind not in kinds:
        where = (*place, "kind") if isinstance(value, Mapping) else place
        got = shown(kind if isinstance(value, Mapping) else value)
        checker.problem(where, f"expected a source of the kind {' or '.join(kinds)}, got {got}")
        return None
    return checker.read(SOURCES[SourceKind(kind)], value, place)


def _has_text_keys(checker: Checker, value: Any, place: tuple[str | int, ...]) -> bool:
    """Whether all keys are texts, at every level: an entry is stored as JSON."""
    if not isinstance(value, Mapping):
        return True
    for key, inner in value.items():
        if not isinstance(key, str):
            checker.problem(place, f"expected text as a key, got {shown(key)}")
            return False
        if not _has_text_keys(checker, inner, (*place, key)):
            return False
    return True


def _labels(checker: Checker, value: Any, place: tuple[str | int, ...]) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_LABELS:
        checker.problem(place, f"expected at most {MAX_LABELS} labels, got {shown(value)}")
        return {}
    for name, label in value.items():
        if not isinstance(label, str) or not (len(name) and len(label) <= MAX_LABEL >= len(name)):
            expected = f"expected a text of at most {MAX_LABEL} characters, and a name"
            checker.problem((*place, name[:MAX_LABEL]), f"{expected}, got {shown(label)}")
    return {str(name): str(label) for name, label in value.items()}


def _check_together(checker: Checker, entries: Sequence[SystemEntry]) -> None:
    if len(entries) > MAX_SYSTEMS:
        text = f"expected at most {MAX_SYSTEMS} systems, got {len(entries)}"
        checker.problem(("systems",), text)
    first: dict[str, int] = {}
    for i, entry in enumerate(entries):
        if entry.id in first:
            text = f"expected a unique id, {entry.id!r} is that of systems[{first[entry.id]}], too"
            checker.problem(("systems", i, "id"), text)
        first.setdefault(entry.id, i)
    defaults = [entry.id for entry in entries if entry.default]
    if len(defaults) > 1:
        text = f"expected at most one system with default: true, got {', '.join(defaults)}"
        checker.problem(("systems",), text)


def _violation(problem: str) -> Violation:
    """Convert "entry: source.kind: expected ..." to a violation of that field."""
    rest = problem.removeprefix(f"{_ENTRY}: ")
    path, colon, expected = rest.partition(": ")
    if colon and " " not in path:
        return Violation(f"{_ENTRY}.{path}", expected)
    return Violation(_ENTRY, rest)
