"""Is everything that a stream numbers accounted for: delivered, or named in a gap?"""

from __future__ import annotations

from collections.abc import Iterable

from sre_edge.v1 import event_pb2, snapshot_pb2

Message = snapshot_pb2.Snapshot | event_pb2.Event | snapshot_pb2.Gap


class Account:
    """Follows one subscriber.

    Attributes
    ----------
    delivered, lost
        Snapshots or events that came, and those that a gap named.
    holes
        What is wrong, one sentence each.
    """

    def __init__(self) -> None:
        self.delivered = self.lost = 0
        self.holes: list[str] = []
        self.run_id = ""
        self.last = 0
        self._run_ended = False

    def add(self, message: Message) -> None:
        """Take the next message of the stream."""
        if isinstance(message, snapshot_pb2.Gap):
            self._gap(message)
            return
        cursor = message.cursor
        if self.run_id and cursor.run_id != self.run_id and not self._run_ended:
            self.holes.append(f"run {self.run_id} went over into {cursor.run_id} without a gap")
        if cursor.run_id == self.run_id and cursor.sequence != self.last + 1:
            self.holes.append(f"{cursor.sequence} came after {self.last}")
        self.run_id, self.last, self._run_ended = cursor.run_id, cursor.sequence, False
        self.delivered += 1

    def _gap(self, gap: snapshot_pb2.Gap) -> None:
        if gap.reason == snapshot_pb2.GAP_REASON_RUN_ENDED:
            self._run_ended = True
            return
        if gap.run_id != self.run_id or gap.first_sequence != self.last + 1:
            self.holes.append(f"a gap from {gap.first_sequence} came after {self.last}")
        self.lost += gap.last_sequence - gap.first_sequence + 1
        self.last = gap.last_sequence


def account(messages: Iterable[Message]) -> Account:
    """Go through all messages of a stream."""
    found = Account()
    for message in messages:
        found.add(message)
    return found
