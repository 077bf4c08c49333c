"""Counterfactuals: the cause of each incident, and whether a false alarm was justified.

The same episode is simulated again with the same seed, so with the same chance, but without some of
its faults, or with faults that hold on (evaluation.md, section 1).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ml.definitions.breach import breached
from ml.definitions.incidents import Incident, incidents
from ml.episodes.scenarios import EPISODE_S
from simulator.dynamics.load import Load
from simulator.faults.scenario import Scenario
from simulator.simulation import Simulation
from simulator.topology.resolved import Topology
from telemetry.faults import Fault, FaultKind
from telemetry.frame import FRAME_INTERVAL_S

NEAR_FRAMES = 15
"""An onset within 30 s of the observed one is the same."""
FORESEEABLE_S = 10.0
HELD_S = 120.0
MAX_COPIES = 96
FRAMES = round(EPISODE_S / FRAME_INTERVAL_S)

Faults = tuple[Fault, ...]


class Cause(Protocol):
    """A fault, simulated or of a recording."""

    @property
    def target(self) -> str:
        """A service, or caller->callee."""
        ...

    @property
    def kind(self) -> str:
        """Kind of the fault."""
        ...

    @property
    def start_s(self) -> float:
        """When it began, seconds since the start of the episode."""
        ...

    @property
    def intensity(self) -> float:
        """Strength."""
        ...


@dataclass(frozen=True, slots=True)
class Variant:
    """An episode with other faults.

    Attributes
    ----------
    copy
        Number of the episode, which addresses its chance.
    faults
        Faults that are injected.
    """

    copy: int
    faults: Faults


class Counterfactuals:
    """The onsets of every variant of the episodes of one system that may be asked for.

    Parameters
    ----------
    topology, chosen, seed
        As in the recording.
    affected
        Episodes with an incident whose cause may be asked for; None: all.
    """

    def __init__(
        self,
        topology: Topology,
        chosen: Sequence[Scenario],
        seed: int,
        affected: Container[int] | None = None,
    ) -> None:
        self._scenarios = tuple(chosen)
        variants = [
            Variant(copy, faults)
            for copy, scenario in enumerate(chosen)
            for faults in (
                _held_sets(scenario.faults)
                if affected is not None and copy not in affected
                else _held_sets(scenario.faults) | _smaller_sets(scenario.faults)
            )
        ]
        self._onsets: dict[Variant, dict[int, list[int]]] = {}
        loads = [scenario.load for scenario in chosen]
        for start in range(0, len(variants), MAX_COPIES):
            batch = variants[start : start + MAX_COPIES]
            for incident in _simulate(topology, batch, loads, seed):
                of_variant = self._onsets.setdefault(batch[incident.copy], {})
                of_variant.setdefault(incident.service, []).append(incident.onset)

    def cause(self, incident: Incident) -> Fault | None:
        """Fault without which the incident had not begun; None if it began by itself.

        If several are each necessary, the latest; if each alone suffices, the earliest. Onsets are
        numbered from the start of the simulation.
        """
        faults = self._scenarios[incident.copy].faults
        if self._happens(incident, ()):
            return None
        necessary = [f for f in faults if not self._happens(incident, _without(faults, f))]
        if necessary:
            return max(necessary, key=lambda fault: fault.start_s)
        enough = [f for f in faults if self._happens(incident, (f,))]
        return min(enough or faults, key=lambda fault: fault.start_s)

    def justified(self, copy: int, service: int, t_s: float, next_onset_s: float | None) -> bool:
        """Whether an alarm would have been right, had the faults of its moment held on.

        Parameters
        ----------
        copy, service, t_s
            Copy, service and time at which it was raised.
        next_onset_s
            Next onset of the service that really followed; None if there was none.
        """
        acting = [f for f in self._scenarios[copy].faults if f.start_s <= t_s < f.end_s]
        if not any(next_onset_s is None or fault.end_s < next_onset_s for fault in acting):
            return False
        variant = Variant(copy, _held(self._scenarios[copy].faults, t_s))
        onsets = self._onsets.get(variant, {}).get(service, [])
        return any(t_s < onset * FRAME_INTERVAL_S <= t_s + HELD_S for onset in onsets)

    def _happens(self, incident: Incident, faults: Faults) -> bool:
        if faults == self._scenarios[incident.copy].faults:
            return True
        variant = Variant(incident.copy, faults)
        onsets = self._onsets.get(variant, {}).get(incident.service, [])
        return any(abs(onset - incident.onset) <= NEAR_FRAMES for onset in onsets)


def foreseeable(cause: Cause | None, onset_s: float) -> bool:
    """Whether the cause had acted for at least 10 s before the onset, its ramp included."""
    return cause is not None and cause.start_s <= onset_s - FORESEEABLE_S


def _smaller_sets(faults: Faults) -> set[Faults]:
    """Give the sets of fewer faults, which tell causes."""
    if len(faults) > 1:
        return {(), *(_without(faults, f) for f in faults), *((fault,) for fault in faults)}
    return {()} if faults else set()


def _held_sets(faults: Faults) -> set[Faults]:
    """Give the faults of each moment held on, which tell justified alarms."""
    moments = {t for fault in faults for t in (fault.start_s, fault.end_s)}
    return {_held(faults, t) for t in moments} - {()}


def _without(faults: Faults, fault: Fault) -> Faults:
    return tuple(other for other in faults if other is not fault)


def _held(faults: Faults, t_s: float) -> Faults:
    """Give the faults that had begun at `t_s`; those that acted then hold on to the end."""
    if not any(fault.start_s <= t_s < fault.end_s for fault in faults):
        return ()
    return tuple(
        fault
        if fault.end_s <= t_s
        else lasting(fault, max(EPISODE_S - fault.start_s, fault.duration_s))
        for fault in faults
        if fault.start_s <= t_s
    )


def lasting(fault: Fault, duration_s: float) -> Fault:
    """Let a fault go on for another time at its strength; a leak goes on at its rate."""
    intensity = fault.intensity
    if fault.kind is FaultKind.MEMORY_LEAK:  # its intensity is what it leaks over its duration
        half_ramp_s = 0.5 * fault.ramp_s
        intensity *= (duration_s - half_ramp_s) / (fault.duration_s - half_ramp_s)
    return replace(fault, duration_s=duration_s, intensity=intensity)


def _simulate(
    topology: Topology, variants: Sequence[Variant], loads: Sequence[Load], seed: int
) -> list[Incident]:
    """All incidents of variants side by side; `copy` is the place among them."""
    simulation = Simulation(
        topology,
        copies=len(variants),
        seed=seed,
        loads=[loads[variant.copy] for variant in variants],
        numbers=[variant.copy for variant in variants],
    )
    for place, variant in enumerate(variants):
        for fault in variant.faults:
            simulation.inject(fault, place)
    graph = simulation.graph
    return incidents(np.stack([breached(simulation.next_frame(), graph) for _ in range(FRAMES)]))
