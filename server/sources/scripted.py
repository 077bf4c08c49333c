"""A source whose frames are stated one by one: a fake for tests, without a simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

import numpy as np

from server.errors import Violation, invalid, not_supported_by_source
from server.ports import Scenario, Source, SourceFactory
from telemetry.faults import Fault, FaultKind, check
from telemetry.frame import Frame, Truth
from telemetry.graph import ServiceGraph

START = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, eq=False, slots=True)
class ScriptedFrame:
    """What is observed over one interval: a frame, and the system as it is then."""

    graph: ServiceGraph
    frame: Frame


class ScriptedSystem:
    """Shows stated frames; a `FrameSource`, a `FaultInjector` and a `LabelSource`.

    Parameters
    ----------
    script
        What is shown, in order, at least one; the last one is shown again and again.
    past
        How many of them are the past.
    start_time
        Time of second 0 of the frames.

    Attributes
    ----------
    injected
        Faults that were injected and not stopped; they have no effect.
    """

    def __init__(
        self, script: Sequence[ScriptedFrame], past: int = 0, start_time: datetime = START
    ) -> None:
        self.start_time = start_time
        self.kinds = frozenset(FaultKind)
        self.injected: list[Fault] = []
        self._script, self._past = tuple(script), past
        self._number = 0

    @property
    def graph(self) -> ServiceGraph:
        """The system as the latest frame shows it."""
        return self._at(max(self._number - 1, 0)).graph

    @property
    def interval_s(self) -> float:
        """Length of a frame, seconds."""
        return self._script[0].frame.interval_s

    @property
    def time_s(self) -> float:
        """End of what was shown."""
        return self._number * self.interval_s

    @property
    def truth(self) -> Truth:
        """Nothing but zeros."""
        zeros = np.zeros((1, self.graph.services))
        return Truth(**{field.name: zeros for field in fields(Truth)})

    def backfill(self) -> Iterator[Frame]:
        """Show the past."""
        while self._number < self._past:
            yield self.next_frame()

    def next_frame(self) -> Frame:
        """Show the next frame."""
        shown = self._at(self._number)
        frame = replace(shown.frame, t_s=self.time_s)
        self._number += 1
        return frame

    def read_scenario(self, document: str) -> Scenario:
        """Read a scenario that is stated in JSON, with the names of the attributes of `Fault`."""
        try:
            (stated,) = json.loads(document)
            faults = tuple(
                Fault(**{"start_s": 0.0, **fault, "kind": FaultKind(fault["kind"])})
                for fault in stated["faults"]
            )
            for fault in faults:
                check(fault, self.graph)
            return Scenario(stated["name"], float(stated["seconds"]), faults)
        except (ValueError, TypeError, KeyError) as error:
            raise invalid([Violation("document", f"expected a scenario: {error}")]) from error

    def resolve(self, fault: Fault) -> Fault:
        """Choose the last service, if a fault names no target."""
        resolved = fault if fault.target else replace(fault, target=self.graph.names[-1])
        check(resolved, self.graph)
        return resolved

    def inject(self, fault: Fault) -> Fault:
        """Note a fault."""
        resolved = self.resolve(fault)
        self.injected.append(resolved)
        return resolved

    def stop(self, fault: Fault) -> None:
        """Forget a fault."""
        if fault in self.injected:
            self.injected.remove(fault)

    def stop_all(self) -> None:
        """Forget all faults."""
        self.injected.clear()

    def _at(self, number: int) -> ScriptedFrame:
        return self._script[min(number, len(self._script) - 1)]


@dataclass(frozen=True, slots=True)
class ScriptedFactory:
    """Shows the same script in each run.

    Attributes
    ----------
    script, past
        As of `ScriptedSystem`.
    faults, labels
        Whether the source can inject faults, and knows the truth.
    """

    script: tuple[ScriptedFrame, ...]
    past: int = 0
    faults: bool = True
    labels: bool = True

    def open(self, now: datetime) -> Source:
        """Begin the script; whatever the time is."""
        system = ScriptedSystem(self.script, self.past)
        return Source(system, system if self.faults else None, system if self.labels else None)

    def altered(self, topology: str, seed: int | None) -> SourceFactory:
        """Return the same factory: a script has no seed, and no other topology."""
        if topology:
            raise not_supported_by_source("another topology")
        return self

    def sought(self, time: datetime) -> SourceFactory:
        """Refuse: a script is shown from its start."""
        raise not_supported_by_source("another time")
