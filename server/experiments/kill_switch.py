"""Kill switches: that of a system, and one for all systems above it."""

from __future__ import annotations


class KillSwitch:
    """Whether faults are refused; it outlives a run.

    Attributes
    ----------
    on
        Whether this switch itself is on.
    above
        A switch that holds for this system, too; None: there is none.
    """

    def __init__(self, on: bool = False, above: KillSwitch | None = None) -> None:
        self.on, self.above = on, above

    @property
    def engaged(self) -> bool:
        """Whether faults are refused."""
        return self.on or (self.above is not None and self.above.engaged)
