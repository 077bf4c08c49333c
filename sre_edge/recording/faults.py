"""The faults of a recording, from the snapshots that show them while they act."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sre_edge.v1 import fault_pb2, snapshot_pb2


@dataclass(slots=True)
class SeenFault:
    """A fault; times are seconds since the start of the recording.

    Attributes
    ----------
    end_s
        When it ends, or ended if that was earlier.
    """

    target: str
    kind: fault_pb2.FaultKind.ValueType
    start_s: float
    end_s: float
    intensity: float
    ramp_s: float
    share: float


class FaultLog:
    """Notes which faults act, and when each ends; iterate over it in the order of their start."""

    def __init__(self) -> None:
        self._known: dict[str, SeenFault] = {}
        self._acting: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[SeenFault]:
        return iter(sorted(self._known.values(), key=lambda fault: fault.start_s))

    def take(self, snapshot: snapshot_pb2.Snapshot, seconds: float, start: datetime) -> bool:
        """Take the faults of a snapshot, whose interval begins at a second; True if any changed.

        A fault that is gone before its time was stopped by the beginning of that interval.
        """
        acting = frozenset(fault.id for fault in snapshot.active_faults)
        if acting == self._acting:
            return False
        for identifier in self._acting - acting:
            gone = self._known[identifier]
            gone.end_s = max(gone.start_s, min(gone.end_s, seconds + snapshot.interval_seconds))
        for fault in snapshot.active_faults:
            if fault.id not in self._known:
                began = (fault.start_time.ToDatetime(tzinfo=UTC) - start).total_seconds()
                lasts = fault.duration.ToNanoseconds() / 1e9
                self._known[fault.id] = SeenFault(
                    fault.target, fault.kind, began, began + lasts, fault.intensity,
                    fault.ramp.ToNanoseconds() / 1e9, fault.share,
                )  # fmt: skip
        self._acting = acting
        return True
