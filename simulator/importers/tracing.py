"""Dependencies that tracing systems counted: Jaeger's and Zipkin's."""

from __future__ import annotations

from typing import Any

from simulator.importers.imported import (
    Builder,
    ForeignFileError,
    Imported,
    mappings,
    number,
    rates,
)
from telemetry.document import parse


def read_jaeger(text: str, source: str) -> Imported:
    """Read what Jaeger's `/api/dependencies` answers.

    Raises
    ------
    DocumentError
        If it is none.
    """
    document = parse(text, source)
    links = document.get("data") if isinstance(document, dict) else None
    if not isinstance(links, list):
        raise ForeignFileError([f"{source}: data: expected a list of dependencies"])
    return _read(links, source, "data", "jaeger")


def read_zipkin(text: str, source: str) -> Imported:
    """Read what Zipkin's `/api/v2/dependencies` answers.

    Raises
    ------
    DocumentError
        If it is none.
    """
    links = parse(text, source)
    if not isinstance(links, list):
        raise ForeignFileError([f"{source}: expected a list of dependencies"])
    return _read(links, source, "", "zipkin")


def _read(links: list[Any], source: str, path: str, name: str) -> Imported:
    builder = Builder(source)
    counts: dict[tuple[str, str], float] = {}
    for i, link in enumerate(mappings(links)):
        ends = (link.get("parent"), link.get("child"))
        count = number(link.get("callCount"))
        if not all(isinstance(end, str) and end for end in ends):
            raise ForeignFileError([f"{source}: {path}[{i}]: expected a parent and a child"])
        if count is None or count < 0:
            raise ForeignFileError([f"{source}: {path}[{i}].callCount: expected a number"])
        if link.get("errorCount"):
            builder.warn("counts of errors are left out")
        parent, child = str(ends[0]), str(ends[1])
        counts[parent, child] = counts.get((parent, child), 0.0) + count
    called = {child for _, child in counts}
    for parent, _ in counts:
        if parent not in called:
            builder.warn(
                f"{parent}: its own requests were not counted; taken as many as its most "
                "frequent calls"
            )
    for (parent, child), often in rates(counts, {}).items():
        builder.call(parent, child, calls_per_request=often or None)
    return builder.finish(name)
