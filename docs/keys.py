"""Writes the tables of keys in the documents from the classes that read them: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from simulator.faults.scenario import FaultSpec, ScenarioSpec
from telemetry.keys import Key, Stated, keys
from telemetry.recordings.specification import MetaSpec, RecordedFault, TopologyChange
from telemetry.topology.specification import DependencySpec, ServiceSpec

DOCS = Path(__file__).resolve().parent
PAGES: dict[str, dict[str, type[Stated]]] = {
    "simulator.md": {
        "service": ServiceSpec,
        "dependency": DependencySpec,
        "scenario": ScenarioSpec,
        "fault": FaultSpec,
    },
    "recordings.md": {
        "recording": MetaSpec,
        "recorded fault": RecordedFault,
        "changed topology": TopologyChange,
    },
}


def page(text: str, tables: dict[str, type[Stated]]) -> str:
    """Put tables into a page, each between its two marks."""
    for name, kind in tables.items():
        begin, end = f"<!-- keys of a {name}: begin -->\n", f"\n<!-- keys of a {name}: end -->"
        before, _, rest = text.partition(begin)
        text = before + begin + _table(name, kind) + end + rest.partition(end)[2]
    return text


def _table(name: str, kind: type[Stated]) -> str:
    head = f"| key of a {name} | unit | limits | default | meaning |"
    return "\n".join([head, "| --- | --- | --- | --- | --- |", *_rows(kind, "")])


def _rows(kind: Any, prefix: str) -> Iterator[str]:
    for field, (value, key) in zip(fields(kind), keys(kind).values(), strict=True):
        name = prefix + field.name
        cells = (f"`{name}`", key.unit, _limits(value, key), _default(field, key), key.meaning)
        yield "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
        if isinstance(value, type) and issubclass(value, Stated):
            yield from _rows(value, f"{name}.")


def _limits(value: Any, key: Key) -> str:
    if key.choices:
        return ", ".join(f"`{choice}`" for choice in key.choices)
    if value is str and key.pattern:
        return key.expected
    signs = ((">", key.above), ("≥", key.least), ("≤", key.most))
    bounds = [f"{sign} {bound:,.10g}" for sign, bound in signs if bound is not None]
    bounds += [f"≥ `{key.at_least}`"] if key.at_least else []
    bounds += [f"< `{key.less_than}`"] if key.less_than else []
    return ", ".join(bounds)


def _default(field: Field[Any], key: Key) -> str:
    if key.default or isinstance(field.default, Stated):
        return key.default
    if field.default is MISSING:
        return "required"
    if field.default in (None, (), ""):
        return "none"
    return str(field.default).lower().removesuffix(".0")


if __name__ == "__main__":
    for name, tables in PAGES.items():
        path = DOCS / name
        path.write_text(page(path.read_text(encoding="utf-8"), tables), encoding="utf-8")
