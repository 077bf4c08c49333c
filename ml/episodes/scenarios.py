"""The default mix of scenarios that models are trained and scored on (evaluation.md, section 4).

It is documented there and in `docs/evaluation.md`, and is not made easier to raise a score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.dynamics.load import Load
from simulator.faults.scenario import Scenario
from telemetry.faults import FAULTS, Fault, FaultKind, Target
from telemetry.graph import ServiceGraph

WARM_UP_S = 120.0
SCORED_S = 900.0
TAIL_S = 300.0
"""Simulated beyond what is scored, so that labels are complete."""
EPISODE_S = WARM_UP_S + SCORED_S + TAIL_S

QUIET_SHARE = 0.30
ABSORBED_SURGE_SHARE = 0.20
_KINDS = tuple(FaultKind)


@dataclass(frozen=True, slots=True)
class Mix:
    """Distribution of the episodes of the default mix.

    Attributes
    ----------
    quiet_share
        Share of episodes without any fault.
    absorbed_surge_share
        Share of episodes with a surge that the system absorbs.
    max_faults
        Maximum number of faults in an episode; the minimum is one.
    intensity
        Bounds of the intensity, which is log-uniform.
    ramp_s
        Maximum ramp of the half of the faults that do not start suddenly.
    duration_s
        Bounds of the duration, which is uniform.
    load
        Bounds of the load over the nominal load, which is uniform, at a random hour of the day.
    """

    quiet_share: float = QUIET_SHARE
    absorbed_surge_share: float = ABSORBED_SURGE_SHARE
    max_faults: int = 3
    intensity: tuple[float, float] = (0.2, 3.0)
    ramp_s: float = 120.0
    duration_s: tuple[float, float] = (30.0, 600.0)
    load: tuple[float, float] = (0.7, 1.2)


def draw(graph: ServiceGraph, rng: np.random.Generator, name: str, mix: Mix = Mix()) -> Scenario:
    """Draw one scenario for a system."""
    load = Load(
        scale=float(rng.uniform(*mix.load)), diurnal=True, hour=float(rng.uniform(0.0, 24.0))
    )
    kind = rng.random()
    faults: list[Fault] = []
    if kind >= mix.quiet_share:
        faults = [_fault(graph, rng, mix) for _ in range(int(rng.integers(1, mix.max_faults + 1)))]
    if kind >= 1.0 - mix.absorbed_surge_share:
        faults = [_absorbed_surge(graph, rng, mix)]
    return Scenario(name, EPISODE_S, load, tuple(faults))


def _fault(graph: ServiceGraph, rng: np.random.Generator, mix: Mix) -> Fault:
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    names = np.array(graph.names)
    if Target.SERVICE not in FAULTS[kind].targets:
        names = names[graph.entry]
    target = str(rng.choice(names))
    low, high = np.log(mix.intensity)
    return _timed(rng, mix, target, kind, float(np.exp(rng.uniform(low, high))))


def _absorbed_surge(graph: ServiceGraph, rng: np.random.Generator, mix: Mix) -> Fault:
    target = str(rng.choice(np.array(graph.names)[graph.entry]))
    return _timed(rng, mix, target, FaultKind.TRAFFIC_SURGE, float(rng.uniform(0.1, 0.4)))


def _timed(
    rng: np.random.Generator, mix: Mix, target: str, kind: FaultKind, intensity: float
) -> Fault:
    duration_s = float(rng.uniform(*mix.duration_s))
    ramp_s = float(rng.uniform(0.0, mix.ramp_s)) if rng.random() < 0.5 else 0.0
    return Fault(
        target=target,
        kind=kind,
        start_s=float(np.floor(rng.uniform(WARM_UP_S, WARM_UP_S + SCORED_S))),
        duration_s=duration_s,
        intensity=intensity,
        ramp_s=min(ramp_s, duration_s),
    )
