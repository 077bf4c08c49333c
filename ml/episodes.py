"""Simulated recordings of one system: features, incidents, labels, and their types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ml.breach import breached
from ml.counterfactual import Counterfactuals, foreseeable
from ml.features import FeatureExtractor
from ml.incident_types import INCIDENT_TYPES, incident_type
from ml.incidents import BoolArray, Incident, incidents
from ml.labels import MIN_LEAD_FRAMES, labels, unscored
from ml.scenarios import SCORED_S, TAIL_S, WARM_UP_S, draw
from simulator.faults import Fault
from simulator.frame import FRAME_INTERVAL_S, Truth
from simulator.graph import ServiceGraph
from simulator.scenario import Scenario
from simulator.simulation import Simulation
from simulator.topology import Topology

FIRST_SCORED = round(WARM_UP_S / FRAME_INTERVAL_S)
LAST_SCORED = round((WARM_UP_S + SCORED_S) / FRAME_INTERVAL_S)
_MIDNIGHT = datetime(2026, 1, 5)


@dataclass(frozen=True, eq=False)
class Recording:
    """B episodes of one system, the T frames that are scored; B x S series.

    Attributes
    ----------
    name, graph
        The system.
    scenarios
        What happened in each episode.
    features
        (T, B, S, F) float32, in the order of `ml.features.NAMES`.
    label
        (T, B, S) whether an incident begins within the horizon.
    timely
        (T, B, S) whether one does that an alarm now would still be in time for.
    scored
        (T, B, S) False in an incident and in the 30 s after it.
    incidents
        Those with their onset in the scored frames, which are numbered from 0.
    types
        Index into `INCIDENT_TYPES` of each of them.
    causes
        Fault that caused each of them, None for a spontaneous one; empty if not asked for.
    counterfactuals
        What would have been; None if not asked for.
    """

    name: str
    graph: ServiceGraph
    scenarios: tuple[Scenario, ...]
    features: NDArray[np.float32]
    label: BoolArray
    timely: BoolArray
    scored: BoolArray
    incidents: tuple[Incident, ...]
    types: tuple[int, ...]
    causes: tuple[Fault | None, ...] = ()
    counterfactuals: Counterfactuals | None = None

    def foreseeable(self, number: int) -> bool:
        """Whether incident `number` had been caused for at least 10 s when it began."""
        onset_s = seconds(self.incidents[number].onset)
        return bool(self.causes) and foreseeable(self.causes[number], onset_s)


def seconds(frame: int) -> float:
    """Start of a scored frame, seconds since the start of the simulation."""
    return (FIRST_SCORED + frame) * FRAME_INTERVAL_S


def scenarios(graph: ServiceGraph, count: int, seed: int) -> list[Scenario]:
    """Draw scenarios from the default mix."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 0x5CE])))
    return [draw(graph, rng, f"{seed}-{i}") for i in range(count)]


def record(
    topology: Topology,
    chosen: Sequence[Scenario],
    seed: int,
    *,
    explained: bool = False,
    tail_s: float = TAIL_S,
) -> Recording:
    """Simulate scenarios of one system side by side.

    `explained`: with what caused incidents; `tail_s`: simulated beyond what is scored. Labels are
    complete from 76 s on, ends of incidents are not.
    """
    copies = len(chosen)
    simulation = Simulation(
        topology, copies=copies, seed=seed, loads=[scenario.load for scenario in chosen]
    )
    for copy, scenario in enumerate(chosen):
        for fault in scenario.faults:
            simulation.inject(fault, copy)
    graph = simulation.graph
    extractor = FeatureExtractor(graph, copies)
    started = [_MIDNIGHT + timedelta(days=i % 7, hours=s.load.hour) for i, s in enumerate(chosen)]
    kept: list[NDArray[np.float32]] = []
    breaches: list[BoolArray] = []
    truths: list[Truth] = []
    frames = round((WARM_UP_S + SCORED_S + tail_s) / FRAME_INTERVAL_S)
    for k in range(frames):
        frame = simulation.next_frame()
        if k < LAST_SCORED:
            clock = [start + timedelta(seconds=frame.t_s) for start in started]
            row = extractor.update(frame, clock)
            if k >= FIRST_SCORED:
                kept.append(row.astype(np.float32))
        breaches.append(breached(frame, graph))
        truths.append(simulation.truth)
    happened = incidents(np.stack(breaches))
    shape = (frames, copies, graph.services)
    window = slice(FIRST_SCORED, LAST_SCORED)
    counted = [i for i in happened if FIRST_SCORED <= i.onset < LAST_SCORED]
    affected = {incident.copy for incident in counted}
    counterfactuals = Counterfactuals(topology, chosen, seed, affected) if explained else None
    causes = [counterfactuals.cause(i) for i in counted] if counterfactuals else []
    return Recording(
        name=topology.name,
        graph=graph,
        scenarios=tuple(chosen),
        features=np.stack(kept),
        label=labels(shape, happened)[window],
        timely=labels(shape, happened, MIN_LEAD_FRAMES + 1)[window],
        scored=~unscored(shape, happened)[window],
        incidents=tuple(
            Incident(i.copy, i.service, i.onset - FIRST_SCORED, i.end - FIRST_SCORED)
            for i in counted
        ),
        types=tuple(
            INCIDENT_TYPES.index(incident_type(truths, i.copy, i.service, i.onset)) for i in counted
        ),
        causes=tuple(causes),
        counterfactuals=counterfactuals,
    )
