"""The recent snapshots of the present run."""

from __future__ import annotations

from server.pipeline.snapshot import Snapshot

MAX_SERVICE_SNAPSHOTS = 2_000_000
"""Services times snapshots that are kept, which take about a GB; but see `MIN_SNAPSHOTS`."""
MIN_SNAPSHOTS = 60
"""Snapshots that are kept, and known to a changed graph, however large the system is."""


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
    """

    def __init__(self, max_snapshots: int) -> None:
        self._max_snapshots = max_snapshots
        self.all: tuple[Snapshot, ...] = ()

    @property
    def latest(self) -> Snapshot:
        """The latest snapshot."""
        return self.all[-1]

    def limit(self, services: int) -> int:
        """Determine how many snapshots of a system of this size are kept."""
        affordable = max(MIN_SNAPSHOTS, MAX_SERVICE_SNAPSHOTS // services)
        return max(1, min(self._max_snapshots, affordable))

    def restart(self, first: Snapshot) -> None:
        """Forget the previous run; `first` is the first snapshot of the next one."""
        self.all = (first,)

    def append(self, snapshot: Snapshot) -> None:
        """Add a snapshot of the same run, and drop the oldest ones beyond the limit."""
        older = (*self.all[:-1], self.latest.without_features())
        kept = self.limit(snapshot.graph.services) - 1
        # The tuple is replaced as a whole, so that readers never wait for a tick.
        self.all = (*older[max(0, len(older) - kept) :], snapshot)
