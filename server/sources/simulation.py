"""The simulator as a source: frames, faults, and the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from server.errors import Violation, invalid, not_supported_by_source
from server.ports import Scenario, Source, SourceError, SourceFactory
from server.settings import MAX_DEPENDENCIES, MAX_SERVICES
from simulator.dynamics.load import Load
from simulator.faults.scenario import ScenarioError, parse_scenarios
from simulator.simulation import Simulation
from simulator.topologies import SHIPPED, shipped
from simulator.topology.file import TopologyError, load_topology, parse_topology
from simulator.topology.resolved import Topology
from telemetry.faults import Fault, FaultKind, check
from telemetry.frame import FRAME_INTERVAL_S, Frame, Truth
from telemetry.graph import ServiceGraph

WARM_UP_FRAMES = 60
"""Frames simulated before the first snapshot, so that the model has a baseline."""
SHIPPED_TOPOLOGIES = SHIPPED
TOPOLOGY, SCENARIO = "topology", "document"
"""Fields of the requests that hold a document."""

# "topology: services[0].name: expected ..."; a position such as "line 3" is not a path.
_PROBLEM = re.compile(r"(?!line \d)(?P<path>\S+): (?P<expected>.*)", re.DOTALL)


class SimulatedSystem:
    """One run of a simulation; a `FrameSource`, a `FaultInjector` and a `LabelSource`.

    Parameters
    ----------
    topology
        Topology to simulate.
    seed
        Seed of the simulation.
    now
        Wall clock; the simulated clock reaches it at the end of the warm-up.
    """

    def __init__(self, topology: Topology, seed: int, now: datetime) -> None:
        self.start_time = now - timedelta(seconds=WARM_UP_FRAMES * FRAME_INTERVAL_S)
        self.kinds = frozenset(FaultKind)
        self._simulation = Simulation(topology, seed=seed, loads=[_load_at(self.start_time)])
        self._faults: list[Fault] = []

    @property
    def graph(self) -> ServiceGraph:
        """Graph of the simulated system; it never changes."""
        return self._simulation.graph

    @property
    def interval_s(self) -> float:
        """Length of a frame, seconds."""
        return self._simulation.interval_s

    @property
    def time_s(self) -> float:
        """Simulated seconds so far."""
        return self._simulation.time_s

    @property
    def truth(self) -> Truth:
        """State during the latest frame."""
        return self._simulation.truth

    def backfill(self) -> Iterator[Frame]:
        """Simulate the warm-up."""
        for _ in range(WARM_UP_FRAMES - 1):
            yield self._simulation.next_frame()

    def next_frame(self) -> Frame:
        """Simulate one further interval."""
        return self._simulation.next_frame()

    def read_scenario(self, document: str) -> Scenario:
        """Read a scenario document for this system."""
        try:
            scenarios = parse_scenarios(document, self.graph, source=SCENARIO)
        except ScenarioError as error:
            raise invalid(_violation(SCENARIO, problem) for problem in error.problems) from error
        if len(scenarios) > 1:
            expected = f"expected one scenario, got {len(scenarios)}: run them one by one"
            raise invalid([Violation(SCENARIO, expected)])
        (scenario,) = scenarios
        states_load = scenario.load != Load()
        return Scenario(scenario.name, scenario.seconds, scenario.faults, states_load)

    def resolve(self, fault: Fault) -> Fault:
        """Choose the service that most others depend on, if a fault names no target."""
        resolved = (
            fault if fault.target else replace(fault, target=self._simulation.most_depended_on)
        )
        check(resolved, self.graph)
        return resolved

    def inject(self, fault: Fault) -> Fault:
        """Inject a fault from the next sub-step on."""
        resolved = self.resolve(fault)
        self._simulation.inject(resolved)
        self._faults = [one for one in self._faults if one.end_s > self.time_s]
        self._faults.append(resolved)
        return resolved

    def stop(self, fault: Fault) -> None:
        """End a fault."""
        self._simulation.stop(fault)

    def stop_all(self) -> None:
        """End all faults."""
        for fault in self._faults:
            self._simulation.stop(fault)
        self._faults.clear()


@dataclass(frozen=True, slots=True)
class SimulationFactory:
    """Simulates a system anew for each run.

    Attributes
    ----------
    topology
        Topology to simulate.
    seed
        Seed of the simulation.
    """

    topology: Topology
    seed: int

    def open(self, now: datetime) -> Source:
        """Begin a simulation."""
        system = SimulatedSystem(self.topology, self.seed, now)
        return Source(system, system, system, self.seed, self.topology.warnings)

    def altered(self, topology: str, seed: int | None) -> SourceFactory:
        """Simulate another system, or the same one with another seed."""
        if topology in SHIPPED:
            chosen = shipped(topology)
        else:
            chosen = read_topology(topology) if topology else self.topology
        return SimulationFactory(chosen, self.seed if seed is None else seed)

    def sought(self, time: datetime) -> SourceFactory:
        """Refuse: a simulation goes on from now."""
        raise not_supported_by_source("another time")


def simulation(name: str, seed: int) -> SimulationFactory:
    """Simulate a topology: a shipped one by its name, or one of a file.

    Raises
    ------
    SourceError
        If it cannot be used.
    """
    try:
        topology = shipped(name) if name in SHIPPED else load_topology(name)
    except TopologyError as error:
        raise SourceError(str(error)) from error
    return SimulationFactory(topology, seed)


def read_topology(document: str) -> Topology:
    """Parse and check a topology document, YAML or JSON text.

    Raises
    ------
    ServerError
        INVALID_FIELD, with a violation for each problem; its field has the path to the value.
    """
    try:
        topology = parse_topology(document, source=TOPOLOGY)
    except TopologyError as error:
        raise invalid(_violation(TOPOLOGY, problem) for problem in error.problems) from error
    services, dependencies = len(topology.services), topology.graph().edges
    if services > MAX_SERVICES or dependencies > MAX_DEPENDENCIES:
        expected = (
            f"expected at most {MAX_SERVICES:,} services and {MAX_DEPENDENCIES:,} dependencies, "
            f"got {services:,} and {dependencies:,}"
        )
        raise invalid([Violation(TOPOLOGY, expected)])
    return topology


def _load_at(start: datetime) -> Load:
    hour = start.hour + start.minute / 60.0
    return Load(diurnal=True, hour=hour, day=start.weekday())


def _violation(field: str, problem: str) -> Violation:
    """Convert "topology: services[0].name: expected ..." to a violation of that field."""
    text = problem.removeprefix(f"{field}: ")
    match = _PROBLEM.fullmatch(text)
    if not match:
        return Violation(field, text)
    path = match["path"]
    return Violation(field + path if path.startswith("[") else f"{field}.{path}", match["expected"])
