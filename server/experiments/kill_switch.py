"""The kill switch of a system."""

from __future__ import annotations


class KillSwitch:
    """Whether faults are refused; it outlives a run."""

    def __init__(self, engaged: bool = False) -> None:
        self.engaged = engaged
