"""The simulated clock: its speed, and whether it is paused."""

from __future__ import annotations

from dataclasses import dataclass

from server.errors import Violation, invalid

MIN_SPEED, MAX_SPEED = 0.1, 100.0


@dataclass(frozen=True, slots=True)
class Clock:
    """State of the clock; immutable.

    Attributes
    ----------
    paused
        Whether the clock is paused.
    speed
        Simulated seconds per second while it runs.
    """

    paused: bool = False
    speed: float = 1.0

    def with_changes(self, paused: bool | None, speed: float | None) -> Clock:
        """Return a changed clock; None keeps a value.

        Raises
        ------
        ServerError
            INVALID_FIELD, for a speed out of range.
        """
        if speed is not None and not MIN_SPEED <= speed <= MAX_SPEED:
            expected = f"expected {MIN_SPEED:g} to {MAX_SPEED:g} simulated seconds per second"
            raise invalid([Violation("speed", expected)])
        return Clock(
            paused=self.paused if paused is None else paused,
            speed=self.speed if speed is None else speed,
        )


NORMAL = Clock()
