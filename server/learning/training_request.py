"""A request for a training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """How much to train; None is the default of `ml.learning.job.Job`.

    Attributes
    ----------
    systems, episodes
        Number of simulated systems to replay, and runs of each.
    held_out_systems
        Number of simulated systems to calibrate on, and to compare on.
    rounds
        Maximum number of trees to add.
    """

    systems: int | None = None
    episodes: int | None = None
    held_out_systems: int | None = None
    rounds: int | None = None

    def options(self) -> dict[str, int]:
        """List the options that differ from the defaults, with the names of the job."""
        stated = {
            "systems": self.systems,
            "episodes": self.episodes,
            "held_out_episodes": self.episodes,
            "checked_systems": self.held_out_systems,
            "compared_systems": self.held_out_systems,
            "rounds": self.rounds,
        }
        return {name: value for name, value in stated.items() if value is not None}
