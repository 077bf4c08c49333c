"""Simulated recordings of one system: features, incidents, labels, and their types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ml.definitions.breach import breached
from ml.definitions.incident_types import INCIDENT_TYPES, incident_type
from ml.definitions.incidents import BoolArray, incidents
from ml.definitions.labelled import LabelledEpisodes
from ml.definitions.labels import MIN_LEAD_FRAMES, labels, unscored
from ml.episodes.counterfactual import Cause, Counterfactuals, foreseeable
from ml.episodes.scenarios import SCORED_S, TAIL_S, WARM_UP_S, draw
from ml.features import NAMES, FeatureExtractor
from simulator.dynamics.load import Load
from simulator.faults.scenario import Scenario
from simulator.side_by_side import prefixed_fault, side_by_side
from simulator.simulation import Simulation
from simulator.topology.resolved import Topology
from telemetry.faults import Fault
from telemetry.frame import FRAME_INTERVAL_S, Truth
from telemetry.graph import ServiceGraph

FIRST_SCORED = round(WARM_UP_S / FRAME_INTERVAL_S)
LAST_SCORED = round((WARM_UP_S + SCORED_S) / FRAME_INTERVAL_S)
LABELLED_TAIL_S = 90.0
"""Beyond what is scored, until labels are complete; ends of incidents are not."""
_MIDNIGHT = datetime(2026, 1, 5)


@dataclass(frozen=True, eq=False)
class Recording(LabelledEpisodes):
    """Episodes with what only who simulated or recorded them knows.

    Attributes
    ----------
    scenarios
        Scenario of each episode; empty of a live or recorded system.
    causes
        Fault that caused each incident, None for a spontaneous one; empty if not determined.
    counterfactuals
        Counterfactuals of the episodes; None if not simulated.
    start_s
        Start of the first scored frame, seconds since the start of the episode.
    """

    scenarios: tuple[Scenario, ...] = ()
    causes: tuple[Cause | None, ...] = ()
    counterfactuals: Counterfactuals | None = None
    start_s: float = FIRST_SCORED * FRAME_INTERVAL_S

    def foreseeable(self, number: int) -> bool:
        """Whether incident `number` had been caused for at least 10 s when it began."""
        onset_s = self.seconds(self.incidents[number].onset)
        return bool(self.causes) and foreseeable(self.causes[number], onset_s)

    def seconds(self, frame: int) -> float:
        """Start of a scored frame, seconds since the start of the episode."""
        return self.start_s + frame * FRAME_INTERVAL_S


def scenarios(graph: ServiceGraph, count: int, seed: int) -> list[Scenario]:
    """Draw scenarios from the default mix."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 0x5CE])))
    return [draw(graph, rng, f"{seed}-{i}") for i in range(count)]


def record(
    topology: Topology,
    chosen: Sequence[Scenario],
    seed: int,
    *,
    with_causes: bool = False,
) -> Recording:
    """Simulate scenarios of one system; `with_causes`: also find the causes of incidents."""
    simulation = _simulation(topology, [s.load for s in chosen], [s.faults for s in chosen], seed)
    run = _run(simulation, chosen, TAIL_S)
    recording = _recording(topology, chosen, run, 0)
    if not with_causes:
        return recording
    affected = {incident.copy for incident in recording.incidents}
    counterfactuals = Counterfactuals(topology, chosen, seed, affected)
    causes = tuple(
        counterfactuals.cause(replace(i, onset=i.onset + FIRST_SCORED, end=i.end + FIRST_SCORED))
        for i in recording.incidents
    )
    return replace(recording, causes=causes, counterfactuals=counterfactuals)


def record_batch(
    topologies: Sequence[Topology], chosen: Sequence[Sequence[Scenario]], seed: int
) -> list[Recording]:
    """Simulate scenarios of several systems in one simulation, which is several times as fast.

    It is for training data only: it ends as soon as labels are complete. Each system has as
    many scenarios. Episode n of all systems has the load of the first one's.
    """
    loads = [scenario.load for scenario in chosen[0]]
    chosen = [
        [replace(scenario, load=load) for scenario, load in zip(of_system, loads, strict=True)]
        for of_system in chosen
    ]
    faults = [
        tuple(
            prefixed_fault(fault, n)
            for n, scenario in enumerate(of_copy)
            for fault in scenario.faults
        )
        for of_copy in zip(*chosen, strict=True)
    ]
    simulation = _simulation(side_by_side(topologies), loads, faults, seed)
    run = _run(simulation, chosen[0], LABELLED_TAIL_S)
    first = np.cumsum([0, *(len(topology.services) for topology in topologies)])
    return [
        _recording(topology, of_system, run, int(place))
        for topology, of_system, place in zip(topologies, chosen, first, strict=False)
    ]


@dataclass(frozen=True, eq=False)
class _Run:
    """Result of a simulation: features of the scored frames, all breaches and truths."""

    features: NDArray[np.float32]
    breaches: BoolArray
    truths: list[Truth]


def _simulation(
    topology: Topology, loads: Sequence[Load], faults: Sequence[tuple[Fault, ...]], seed: int
) -> Simulation:
    """Prepare one copy per load, with the faults of each."""
    simulation = Simulation(topology, copies=len(loads), seed=seed, loads=loads)
    for copy, of_copy in enumerate(faults):
        for fault in of_copy:
            simulation.inject(fault, copy)
    return simulation


def _run(simulation: Simulation, chosen: Sequence[Scenario], tail_s: float) -> _Run:
    graph, copies = simulation.graph, simulation.copies
    extractor = FeatureExtractor(graph, copies)
    started = [_MIDNIGHT + timedelta(days=i % 7, hours=s.load.hour) for i, s in enumerate(chosen)]
    scored = LAST_SCORED - FIRST_SCORED
    features = np.empty((scored, copies, graph.services, len(NAMES)), dtype=np.float32)
    breaches: list[BoolArray] = []
    truths: list[Truth] = []
    for k in range(round((WARM_UP_S + SCORED_S + tail_s) / FRAME_INTERVAL_S)):
        frame = simulation.next_frame()
        if k < LAST_SCORED:
            row = extractor.update(frame, [s + timedelta(seconds=frame.t_s) for s in started])
            if k >= FIRST_SCORED:
                features[k - FIRST_SCORED] = row
        breaches.append(breached(frame, graph))
        truths.append(simulation.truth)
    return _Run(features, np.stack(breaches), truths)


def _recording(topology: Topology, chosen: Sequence[Scenario], run: _Run, first: int) -> Recording:
    """Record the system whose services begin at place `first`, without causes."""
    services = slice(first, first + len(topology.services))
    breaches = run.breaches[..., services]
    happened = incidents(breaches)
    window = slice(FIRST_SCORED, LAST_SCORED)
    counted = [i for i in happened if FIRST_SCORED <= i.onset < LAST_SCORED]
    return Recording(
        name=topology.name,
        graph=topology.graph(),
        scenarios=tuple(chosen),
        features=run.features[:, :, services],
        label=labels(breaches.shape, happened)[window],
        timely=labels(breaches.shape, happened, MIN_LEAD_FRAMES + 1)[window],
        scored=~unscored(breaches.shape, happened)[window],
        incidents=tuple(
            replace(i, onset=i.onset - FIRST_SCORED, end=i.end - FIRST_SCORED) for i in counted
        ),
        types=tuple(
            INCIDENT_TYPES.index(incident_type(run.truths, i.copy, first + i.service, i.onset))
            for i in counted
        ),
    )
