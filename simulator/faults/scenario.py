"""Scenario files: what happens to a system in a run, as load and faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.dynamics.load import Load
from simulator.topology.document import Checker, DocumentError, inside, parse, read, shown
from telemetry.faults import Fault, FaultError, FaultKind, check
from telemetry.graph import ServiceGraph

MAX_SECONDS = 7 * 86_400.0
_SCENARIO_KEYS = ("name", "seconds", "load", "faults")
_LOAD_KEYS = ("scale", "diurnal", "hour", "day")
_FAULT_KEYS = ("target", "kind", "start_s", "duration_s", "intensity", "ramp_s", "share")


class ScenarioError(DocumentError):
    """A scenario that cannot be used; says every problem with file, path and expectation."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens in one run.

    Attributes
    ----------
    name
        For people and reports.
    seconds
        Length of the run in simulated seconds; its times count from 0.
    load
        Load from outside.
    faults
        What is injected.
    """

    name: str
    seconds: float
    load: Load
    faults: tuple[Fault, ...]


def load_scenarios(path: str | Path, graph: ServiceGraph) -> tuple[Scenario, ...]:
    """Load a scenario file for a system.

    Raises
    ------
    ScenarioError
        If it cannot be read or used.
    """
    return parse_scenarios(read(path, ScenarioError), graph, source=str(path))


def parse_scenarios(
    document: str | list[Any], graph: ServiceGraph, source: str = "scenarios"
) -> tuple[Scenario, ...]:
    """Parse a scenario document, text or plain values; `source` names it in errors.

    Raises
    ------
    ScenarioError
        If it cannot be used.
    """
    if isinstance(document, str):
        document = parse(document, source, ScenarioError)
    checker = Checker(source)
    scenarios = tuple(
        _scenario(checker, value, path.removeprefix("."), graph)
        for path, value in checker.sequence(document, "")
    )
    if not scenarios:
        checker.problem("", "expected at least one scenario")
    checker.raise_problems(ScenarioError)
    return scenarios


def _scenario(checker: Checker, value: Any, path: str, graph: ServiceGraph) -> Scenario:
    stated = checker.mapping(value, path, _SCENARIO_KEYS) or {}
    name = stated.get("name", path)
    if not isinstance(name, str) or not name:
        checker.problem(inside(path, "name"), f"expected text, got {shown(name)}")
        name = path
    where = inside(path, "seconds")
    seconds = checker.number(stated.get("seconds"), where, above=0.0, most=MAX_SECONDS)
    if stated and stated.get("seconds") is None:
        checker.problem(where, "expected a number greater than 0, got nothing")
    faults = [
        _fault(checker, item, at, graph)
        for at, item in checker.sequence(stated.get("faults", []), inside(path, "faults"))
    ]
    return Scenario(
        name=name,
        seconds=seconds or 0.0,
        load=_load(checker, stated.get("load"), inside(path, "load")),
        faults=tuple(fault for fault in faults if fault is not None),
    )


def _load(checker: Checker, value: Any, path: str) -> Load:
    if value is None:
        return Load()
    stated = checker.mapping(value, path, _LOAD_KEYS) or {}
    scale = checker.number(stated.get("scale"), inside(path, "scale"), least=0.0, most=1000.0)
    hour = checker.number(stated.get("hour"), inside(path, "hour"), least=0.0, most=24.0)
    day = checker.whole(stated.get("day"), inside(path, "day"), least=0, most=6)
    default = Load()
    return Load(
        scale=default.scale if scale is None else scale,
        diurnal=checker.flag(
            stated.get("diurnal"), inside(path, "diurnal"), default=default.diurnal
        ),
        hour=default.hour if hour is None else hour,
        day=default.day if day is None else day,
    )


def _fault(checker: Checker, value: Any, path: str, graph: ServiceGraph) -> Fault | None:
    stated = checker.mapping(value, path, _FAULT_KEYS)
    if stated is None:
        return None
    kind = checker.choice(stated.get("kind"), inside(path, "kind"), [k.value for k in FaultKind])
    target = stated.get("target", "")
    if not isinstance(target, str):
        checker.problem(inside(path, "target"), f"expected a name, got {shown(target)}")
        return None
    numbers = {
        key: checker.number(stated[key], inside(path, key))
        for key in ("start_s", "duration_s", "intensity", "ramp_s", "share")
        if stated.get(key) is not None
    }
    if "duration_s" not in numbers:
        checker.problem(inside(path, "duration_s"), "expected a number, got nothing")
    if kind is None or "duration_s" not in numbers or None in numbers.values():
        return None
    return checked_fault(checker, path, {"start_s": 0.0, **numbers}, target, kind, graph)


def checked_fault(
    checker: Checker,
    path: str,
    numbers: Mapping[str, Any],
    target: str,
    kind: str,
    graph: ServiceGraph,
) -> Fault | None:
    """Build a fault, and note what makes it impossible in this system."""
    fault = Fault(target=target, kind=FaultKind(kind), **numbers)
    try:
        check(fault, graph)
    except FaultError as error:
        checker.problem(inside(path, error.field), str(error).partition(": ")[2])
        return None
    return fault
