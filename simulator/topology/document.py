"""Read YAML and JSON documents, and say everything that is wrong with them at once."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
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


class _Loader(_BaseLoader):  # type: ignore[misc]
    """A safe YAML loader that refuses repeated keys, aliases, and endless nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._levels = 0

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
        seen: set[str] = set()
        for key, _ in node.value:
            where = _position(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"{where}: expected text as a key")
            if key.value in seen:
                raise yaml.YAMLError(f"{where}: expected each key once, {key.value!r} is repeated")
            seen.add(key.value)
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


class Checker:
    """Collects what is wrong with a document while it is being read."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []

    def problem(self, path: str, expectation: str) -> None:
        """Note that the value at `path` is not what was expected."""
        where = f"{self.source}: {path}" if path else self.source
        self.problems.append(f"{where}: {expectation}")

    def raise_problems(self, kind: type[DocumentError]) -> None:
        """Raise what was collected, if anything."""
        if len(self.problems) > MAX_PROBLEMS:
            more = f"{self.source}: and {len(self.problems) - MAX_PROBLEMS} more problems"
            raise kind([*self.problems[:MAX_PROBLEMS], more])
        if self.problems:
            raise kind(self.problems)

    def mapping(self, value: Any, path: str, keys: Iterable[str]) -> Mapping[str, Any] | None:
        """Expect a mapping with none but the given keys."""
        if not isinstance(value, Mapping):
            self.problem(path, f"expected a mapping, got {shown(value)}")
            return None
        known = list(keys)
        for key in value:
            if key not in known:
                self.problem(
                    inside(path, str(key)),
                    f"expected one of the keys {', '.join(known)}{suggestion(str(key), known)}",
                )
        return value

    def sequence(self, value: Any, path: str) -> Iterator[tuple[str, Any]]:
        """Expect a list; give each item with its path."""
        if isinstance(value, list | tuple):
            for i, item in enumerate(value):
                yield f"{path}[{i}]", item
        else:
            self.problem(path, f"expected a list, got {shown(value)}")

    def number(
        self, value: Any, path: str, *, above: float | None = None,
        least: float = -math.inf, most: float = math.inf,
    ) -> float | None:  # fmt: skip
        """Expect a finite number; None stays None."""
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        low = least if above is None else above
        try:
            number = float(value) if is_number else math.nan
        except OverflowError:
            number = math.inf
        inside_range = math.isfinite(number) and low <= number <= most
        if not inside_range or number == above:
            bounds = f" greater than {above:g}" if above is not None else ""
            bounds = f" of at least {least:g}" if least > -math.inf else bounds
            joint = " and at most" if bounds else " of at most"
            bounds += f"{joint} {most:g}" if most < math.inf else ""
            self.problem(path, f"expected a number{bounds}, got {shown(value)}")
            return None
        return number

    def whole(self, value: Any, path: str, *, least: int, most: int) -> int | None:
        """Expect a whole number; None stays None."""
        if value is None:
            return None
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if isinstance(value, float) and value.is_integer():
            is_whole, value = True, int(value)
        if not is_whole or not least <= value <= most:
            self.problem(
                path, f"expected a whole number from {least} to {most}, got {shown(value)}"
            )
            return None
        return int(value)

    def flag(self, value: Any, path: str, default: bool) -> bool:
        """Expect true or false; None is the default."""
        if value is None:
            return default
        if not isinstance(value, bool):
            self.problem(path, f"expected true or false, got {shown(value)}")
            return default
        return value

    def choice(self, value: Any, path: str, choices: Iterable[str]) -> str | None:
        """Expect one of some words."""
        known = list(choices)
        if isinstance(value, str) and value in known:
            return value
        hint = suggestion(value, known) if isinstance(value, str) else ""
        self.problem(path, f"expected one of {', '.join(known)}, got {shown(value)}{hint}")
        return None


def inside(path: str, key: str) -> str:
    """Path of a key inside a mapping."""
    return f"{path}.{key}" if path else key


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
