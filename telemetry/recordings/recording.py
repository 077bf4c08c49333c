"""A recording as frames: what was observed, in which system, and what happened meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from telemetry.frame import Age, Frame
from telemetry.graph import FloatArray, IntArray, ServiceGraph
from telemetry.metrics import FRAME_METRICS, Kind
from telemetry.recordings.specification import RecordedFault


@dataclass(frozen=True, eq=False)
class Period:
    """From which frame on a graph holds, and where its services and edges are in the arrays."""

    first: int
    graph: ServiceGraph
    services: IntArray
    edges: IntArray


@dataclass(frozen=True, eq=False)
class Recording:
    """What was observed of a system, interval by interval; T frames, numbered from 0.

    Attributes
    ----------
    name
        Name of its directory.
    interval_s
        Length of an interval, seconds.
    start_time
        Start of the first frame.
    made_by
        What made it; "" if not known.
    frames
        T.
    backfill
        How many frames are the past, at its beginning.
    faults
        Faults that acted; their times count from `start_time`.
    warnings
        What was not read, for people.
    periods
        The graphs, in the order of time; the first one holds from frame 0 or earlier on.
    values
        (T, N) by the name of the field of `Frame`, of all services or edges of any graph.
    ages
        (T, N) by the kind of values, seconds; empty: all values are fresh.
    """

    name: str
    interval_s: float
    start_time: datetime
    made_by: str
    frames: int
    backfill: int
    faults: tuple[RecordedFault, ...]
    warnings: tuple[str, ...]
    periods: tuple[Period, ...]
    values: Mapping[str, FloatArray]
    ages: Mapping[Kind, FloatArray]

    @property
    def end_time(self) -> datetime:
        """End of the last frame."""
        return self.time(self.frames)

    def time(self, number: int) -> datetime:
        """Start of a frame."""
        return self.start_time + timedelta(seconds=number * self.interval_s)

    def graph(self, number: int) -> ServiceGraph:
        """Give the system as a frame shows it: the same object as long as it does not change."""
        return self._period(number).graph

    def frame(self, number: int) -> Frame:
        """Give a frame; its time counts from `start_time`."""
        period = self._period(number)

        def of(values: FloatArray, kind: Kind) -> FloatArray:
            chosen = period.edges if kind is Kind.EDGES else period.services
            copy: FloatArray = values[number, chosen][None]
            return copy

        age = None
        if self.ages:
            requests, resources, edges = (
                of(self.ages[kind], kind) for kind in (Kind.REQUESTS, Kind.RESOURCES, Kind.EDGES)
            )
            age = Age(requests, resources, edges)
        return Frame(
            t_s=number * self.interval_s,
            interval_s=self.interval_s,
            **{m.field: of(self.values[m.field], m.kind) for m in FRAME_METRICS},
            age=age,
        )

    def number_at(self, time: datetime) -> int:
        """Find the frame that a time lies in, or the one that is nearest to it."""
        seconds = (time - self.start_time).total_seconds()
        # The start of an interval lies in it, up to the microseconds of a clock.
        number = int(np.floor(seconds / self.interval_s + 1e-6))
        return min(max(number, 0), self.frames - 1)

    def _period(self, number: int) -> Period:
        return next(p for p in reversed(self.periods) if p.first <= number)
