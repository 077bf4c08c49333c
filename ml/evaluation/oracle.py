"""The practical upper bound: an oracle that simulates forward from the true state.

It knows the faults that have begun and draws how long they will last; it does not know the random
numbers of the future (evaluation.md, section 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.definitions.breach import breached
from ml.definitions.incidents import WINDOW_FRAMES, BoolArray, incidents
from ml.definitions.labels import HORIZON_FRAMES
from ml.episodes.counterfactual import lasting
from ml.episodes.recording import FIRST_SCORED, LAST_SCORED
from ml.episodes.scenarios import Mix
from simulator.faults.scenario import Scenario
from simulator.simulation import Simulation
from simulator.topology.resolved import Topology
from telemetry.faults import Fault
from telemetry.frame import FRAME_INTERVAL_S
from telemetry.graph import FloatArray

FUTURES = 16
EVERY_FRAMES = 3
AFTERMATH_S = 60.0
"""It looks ahead from the start of a fault until so long after its end."""


def oracle(topology: Topology, chosen: Sequence[Scenario], seed: int) -> FloatArray:
    """Probability of an onset within the horizon, (T, B, S), 0 where no fault has begun."""
    simulation = Simulation(
        topology, copies=len(chosen), seed=seed, loads=[scenario.load for scenario in chosen]
    )
    for copy, scenario in enumerate(chosen):
        for fault in scenario.faults:
            simulation.inject(fault, copy)
    graph = simulation.graph
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 0x0AC1E])))
    probability = np.zeros((LAST_SCORED - FIRST_SCORED, len(chosen), graph.services))
    recent: list[BoolArray] = []
    for k in range(LAST_SCORED):
        frame = simulation.next_frame()
        recent = [*recent[1 - WINDOW_FRAMES :], breached(frame, graph)]
        now_s = frame.t_s + FRAME_INTERVAL_S
        watched = [
            copy
            for copy, scenario in enumerate(chosen)
            if any(f.start_s <= now_s < f.end_s + AFTERMATH_S for f in scenario.faults)
        ]
        place = k - FIRST_SCORED
        if place >= 0 and place % EVERY_FRAMES == 0 and watched:
            faults = [chosen[copy].faults for copy in watched]
            begins = _futures(simulation, watched, faults, np.stack(recent), now_s, rng)
            probability[place : place + EVERY_FRAMES, watched] = begins
    return probability


def _futures(
    simulation: Simulation,
    watched: Sequence[int],
    faults: Sequence[tuple[Fault, ...]],
    recent: BoolArray,
    now_s: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Share of the futures of each copy in which an incident begins, (watched, S)."""
    copies = np.repeat(np.asarray(watched, dtype=np.intp), FUTURES)
    future = simulation.fork(copies.tolist(), int(rng.integers(2**31)))
    for place in range(len(copies)):
        for fault in faults[place // FUTURES]:
            if fault.start_s <= now_s < fault.end_s:
                future.inject(_continued(fault, now_s, rng), place)
    graph = simulation.graph
    ahead = [
        breached(future.next_frame(), graph) for _ in range(HORIZON_FRAMES + WINDOW_FRAMES - 1)
    ]
    breaches = np.concatenate([recent[:, copies], np.stack(ahead)])
    begins = np.zeros((len(copies), graph.services))
    for incident in incidents(breaches):
        if len(recent) <= incident.onset < len(recent) + HORIZON_FRAMES:
            begins[incident.copy, incident.service] = 1.0
    share: FloatArray = begins.reshape(len(watched), FUTURES, -1).mean(axis=1)
    return share


def _continued(fault: Fault, now_s: float, rng: np.random.Generator) -> Fault:
    """Draw how long a fault goes on, given how long it has lasted; its strength is known."""
    shortest, longest = Mix().duration_s
    elapsed_s = now_s - fault.start_s
    duration_s = float(rng.uniform(max(shortest, elapsed_s, fault.ramp_s), max(longest, elapsed_s)))
    return lasting(fault, max(duration_s, elapsed_s + FRAME_INTERVAL_S, fault.ramp_s))
