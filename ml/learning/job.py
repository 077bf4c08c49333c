"""A training job, written for another process, and the split of its experiments."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from ml.serving.artefact import write_json

COMPARED_SHARE, MAX_COMPARED = 4, 20
CHECKED_EVERY = 4
COMPARED_SYSTEMS, HELD_OUT_EPISODES = 8, 16
"""Default number of systems to compare on, and of runs of each."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to train.

    Attributes
    ----------
    number
        Number of the training; another number gives other simulated systems.
    base, output
        Directories of the live model, and of the candidate, which is created.
    experiments
        Files of live experiments by their key, the oldest first.
    systems, episodes
        Simulated systems to learn from again, and runs of each.
    checked_systems, compared_systems, held_out_episodes
        Systems to calibrate on, systems to compare on, and runs of each.
    rounds, patience
        Maximum number of trees to add, and the number without progress that ends it.
    """

    number: int
    base: str
    output: str
    experiments: dict[str, str]
    systems: int = 24
    episodes: int = 16
    checked_systems: int = 6
    compared_systems: int = COMPARED_SYSTEMS
    held_out_episodes: int = HELD_OUT_EPISODES
    rounds: int = 100
    patience: int = 20

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job that `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write it for another process."""
        write_json(path, asdict(self))


class Split(NamedTuple):
    """Keys of the experiments to learn from, to calibrate on, and to compare on."""

    learned: tuple[str, ...]
    checked: tuple[str, ...]
    compared: tuple[str, ...]


def split(keys: Sequence[str], known: Collection[str]) -> Split:
    """Divide experiments: the newest quarter that the live model does not know compares both.

    Of the others every fourth, whole, is for calibration and for when to stop.

    Parameters
    ----------
    keys
        Keys of all experiments, oldest first.
    known
        Keys of the experiments that the live model was trained on.
    """
    fresh = [key for key in keys if key not in known]
    count = min(-(-len(fresh) // COMPARED_SHARE), MAX_COMPARED)
    compared = fresh[len(fresh) - count :]
    others = [key for key in keys if key not in compared]
    checked = others[CHECKED_EVERY - 1 :: CHECKED_EVERY]
    learned = [key for key in others if key not in checked]
    return Split(tuple(learned), tuple(checked), tuple(compared))
