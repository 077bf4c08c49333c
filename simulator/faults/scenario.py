"""Scenario files: what happens to a system in a run, as load and faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from simulator.dynamics.load import Load
from telemetry.document import DocumentError, listed, parse, read, shown
from telemetry.faults import Fault, FaultError, FaultKind, check
from telemetry.graph import ServiceGraph
from telemetry.keys import Checker, Key, Place, Stated

MAX_SECONDS = 7 * 86_400.0


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


# A key takes as few lines as it can.
# fmt: off


@dataclass(frozen=True, slots=True)
class LoadSpec(Stated):
    """Load from outside, as stated; see `simulator.dynamics.load.Load`."""

    scale: Annotated[float, Key("Times the nominal load.", least=0.0, most=1000.0)] = 1.0
    diurnal: Annotated[bool, Key("It follows day and week; false: it is constant.")] = False
    hour: Annotated[float, Key(
        "Hour of the day when the run starts.", "h", least=0.0, most=24.0)] = 12.0
    day: Annotated[int, Key("Day of the week when it starts, 0 is Monday.", least=0, most=6)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec(Stated):
    """A fault, as stated; see `telemetry.faults.Fault`. `check` has the limits."""

    target: Annotated[str, Key(
        "Name of a service, or `caller->callee`, or empty.", expected="a name")] = ""
    kind: Annotated[str, Key("What is done to it.", choices=[kind.value for kind in FaultKind])]
    start_s: Annotated[float, Key("When it begins, since the start of the run.", "s")] = 0.0
    duration_s: Annotated[float, Key("How long it acts, ramp included.", "s")]
    intensity: Annotated[float, Key("Strength.")] = 1.0
    ramp_s: Annotated[float, Key("Time until it has its full strength.", "s")] = 0.0
    share: Annotated[float, Key("Share of the replicas that it acts on.")] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSpec(Stated):
    """A scenario, as stated; its faults are read one by one."""

    name: Annotated[str, Key("For people and reports.", pattern=".", default="its place")] = ""
    seconds: Annotated[float, Key("Length of the run.", "s", above=0.0, most=MAX_SECONDS)]
    load: Annotated[LoadSpec, Key("Load from outside.")] = LoadSpec()
    faults: Annotated[Sequence[Any], Key("What is injected.")] = ()


# fmt: on


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
    if not isinstance(document, list):
        checker.problem((), f"expected a list, got {shown(document)}")
    if not document:
        checker.problem((), "expected at least one scenario")
    scenarios = []
    for i, value in enumerate(document if isinstance(document, list) else ()):
        stated = checker.read(ScenarioSpec, value, (i,))
        faults = [
            read_fault(checker, fault, graph, (i, "faults", j))
            for j, fault in enumerate(listed(value, "faults"))
        ]
        if stated:
            for j, fault in enumerate(faults):
                if fault and fault.start_s >= stated.seconds:
                    expected = f"expected less than the {stated.seconds:g} s of the run"
                    place = (i, "faults", j, "start_s")
                    checker.problem(place, f"{expected}, got {fault.start_s:g}")
        if stated and all(faults):
            name, load = stated.name or f"[{i}]", stated.load.into(Load)
            scenarios.append(Scenario(name, stated.seconds, load, tuple(filter(None, faults))))
    return checker.passed(tuple(scenarios), ScenarioError)


def read_fault(
    checker: Checker, value: Any, graph: ServiceGraph, place: Place = ()
) -> Fault | None:
    """Read a fault, and note what makes it impossible in this system; None if anything does."""
    stated = checker.read(FaultSpec, value, place)
    if stated is None:
        return None
    fault = stated.into(Fault, kind=FaultKind(stated.kind))
    try:
        check(fault, graph)
    except FaultError as error:
        checker.problem((*place, error.field), str(error).partition(": ")[2])
        return None
    return fault
