"""The past of a run: frames from before its first snapshot, which taught what is normal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ml.definitions.breach import breached
from server.pipeline.clock import Clock
from server.pipeline.snapshot import Run, Snapshot
from server.pipeline.state import statuses
from telemetry.frame import Frame
from telemetry.graph import ServiceGraph


@dataclass(frozen=True, eq=False, slots=True)
class PastFrame:
    """A frame, and the system and the time that it is of."""

    graph: ServiceGraph
    frame: Frame
    time: datetime

    def snapshot(self, run: Run, produced_time: datetime, clock: Clock) -> Snapshot:
        """Give it as a snapshot without a number, and without findings."""
        known = statuses(self.frame, breached(self.frame, self.graph)[0])
        return Snapshot(
            run, self.graph, 0, 0, self.frame, self.time, produced_time, known, (), None, clock
        )
