"""The recent snapshots of the present run."""

from __future__ import annotations

from collections.abc import Sequence

from server.pipeline.past import PastFrame
from server.pipeline.snapshot import Snapshot

MAX_SERVICE_SNAPSHOTS = 2_000_000
"""Maximum number of services times snapshots, which take about a GB."""
MIN_SNAPSHOTS = 60
"""Snapshots that are kept however large the system is; a changed graph is learned from these."""


class RecentSnapshots:
    """Snapshots of one run at a time; written by one thread, read from any without a lock.

    Parameters
    ----------
    max_snapshots
        Number of snapshots that are kept; fewer of a large system.

    Attributes
    ----------
    all
        The snapshots, oldest first; only the latest one has its features.
    past
        Frames from before the first snapshot of the run, oldest first; none once that one is
        forgotten.
    """

    def __init__(self, max_snapshots: int) -> None:
        self._max_snapshots = max_snapshots
        self.all: tuple[Snapshot, ...] = ()
        self.past: tuple[PastFrame, ...] = ()

    @property
    def latest(self) -> Snapshot:
        """The latest snapshot."""
        return self.all[-1]

    def limit(self, services: int) -> int:
        """Determine how many snapshots of a system of this size are kept."""
        affordable = max(MIN_SNAPSHOTS, MAX_SERVICE_SNAPSHOTS // services)
        return max(1, min(self._max_snapshots, affordable))

    def restart(self, first: Snapshot, past: Sequence[PastFrame] = ()) -> None:
        """Forget the previous run; `first` is the first snapshot of the next one."""
        self.past = ()
        self.all, self.past = (first,), tuple(past)

    def append(self, snapshot: Snapshot) -> None:
        """Add a snapshot of the same run, and drop the oldest ones beyond the limit."""
        older = (*self.all[:-1], self.latest.without_features())
        kept = self.limit(snapshot.graph.services) - 1
        # The tuple is replaced as a whole, so that readers never wait for a tick.
        self.all = (*older[max(0, len(older) - kept) :], snapshot)
        if len(older) > kept:
            self.past = ()
