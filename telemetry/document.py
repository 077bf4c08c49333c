"""Read YAML and JSON documents, and say everything that is wrong with them at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

MAX_PROBLEMS = 50
MAX_LEVELS = 100
"""Mappings and lists inside of each other in YAML; JSON has Python's own limit."""

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(ValueError):
    """A document that cannot be used.

    Attributes
    ----------
    problems
        One "source: path.to.value: expected ..." each.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[DocumentError], tuple[tuple[str, ...]]]:
        """Come whole from another process."""
        return type(self), (self.problems,)


class _Loader(_BaseLoader):  # type: ignore[misc]
    """A safe YAML loader that refuses repeated keys, aliases, and endless nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._levels = 0
        if "&" not in text:  # no anchors, so no aliases to look for
            self.construct_object = super().construct_object  # type: ignore[method-assign]

    # The C parser recurses without a limit of its own, to the end of the process; but it calls
    # these two before and after each value. Their own task, resolvers by path, is not used.
    def descend_resolver(self, parent: Any, index: Any) -> None:  # noqa: ARG002
        self._levels += 1
        if self._levels > MAX_LEVELS:
            raise yaml.YAMLError(f"expected at most {MAX_LEVELS} levels of nesting")

    def ascend_resolver(self) -> None:
        self._levels -= 1

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if node in self.constructed_objects:  # here, since the C parser composes by itself
            raise yaml.YAMLError(f"{_position(node.start_mark)}: expected no alias of this value")
        return super().construct_object(node, deep)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                raise yaml.YAMLError(f"{_position(key.start_mark)}: expected text as a key")
            if key.value in keys:
                where = _position(key.start_mark)
                raise yaml.YAMLError(f"{where}: expected each key once, {key.value!r} is repeated")
            keys.add(key.value)
        return super().construct_mapping(node, deep)


def _position(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


def read(path: str | Path, kind: type[DocumentError] = DocumentError) -> str:
    """Read the text of a file.

    Raises
    ------
    DocumentError
        If there is no such file or it is not text; of the given kind.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise kind([f"{path}: expected a readable YAML or JSON file: {reason}"]) from error


def parse(text: str, source: str, kind: type[DocumentError] = DocumentError) -> Any:
    """Parse YAML or JSON text into plain values.

    Raises
    ------
    DocumentError
        If it is neither; of the given kind.
    """
    try:
        if text.lstrip().startswith(("{", "[")):
            try:
                return _json(text)
            except json.JSONDecodeError:
                pass  # YAML's flow style looks alike
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        where = f"{_position(error.problem_mark)}: " if error.problem_mark else ""
        raise kind([f"{source}: {where}expected YAML or JSON: {error.problem}"]) from error
    except UnicodeEncodeError as error:
        raise kind([f"{source}: expected whole characters, got half of a pair"]) from error
    except (yaml.YAMLError, ValueError) as error:
        raise kind([f"{source}: {error}"]) from error
    except (AttributeError, KeyError, TypeError) as error:  # of a tag that its value does not fit
        raise kind([f"{source}: expected values that fit their tags"]) from error
    except RecursionError as error:
        raise kind([f"{source}: expected fewer levels of nesting"]) from error


def _json(text: str) -> Any:
    document = json.loads(text, object_pairs_hook=_without_repeats)
    if "\\u" in text:  # an escape may stand for half a character, which no text can hold
        json.dumps(document, ensure_ascii=False).encode()
    return document


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"expected each key once, {key!r} is repeated")
        result[key] = value
    return result


def listed(document: Any, key: str) -> Sequence[Any]:
    """Give the list under a key; empty if there is none."""
    found = document.get(key) if isinstance(document, Mapping) else None
    return found if isinstance(found, list | tuple) else ()


def shown(value: Any) -> str:
    """Give a value as an error shows it."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def suggestion(name: str, known: Iterable[str]) -> str:
    """Ask whether the nearest known name was meant; "" if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
