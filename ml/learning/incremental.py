"""Incremental training, in one thread next to a running server: trees added to the live model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import xgboost

from ml.training.compute import Matrix, boosted

Job = TypeVar("Job")
Result = TypeVar("Result")

Progress = Callable[[str, int, int], None]
"""Called with the current stage, the number of its parts that are done, and of all parts."""
FITTING = "fitting trees"


class IncrementalTraining:
    """Implements `ml.training.compute.Compute`.

    Parameters
    ----------
    base
        Trees to continue from.
    progress
        Called after each part.
    """

    def __init__(self, base: xgboost.Booster, progress: Progress) -> None:
        self._base = base
        self._progress = progress

    def each(
        self, function: Callable[[Job], Result], jobs: Sequence[Job], label: str
    ) -> Iterator[Result]:
        """Run jobs in turn."""
        for done, job in enumerate(jobs):
            self._progress(label, done, len(jobs))
            yield function(job)
        self._progress(label, len(jobs), len(jobs))

    def boost(
        self,
        options: dict[str, Any],
        rounds: int,
        patience: int,
        learning: Matrix,
        checking: Matrix,
    ) -> xgboost.Booster:
        """Add at most so many trees; those after the best one are dropped."""
        callback = _ProgressCallback(self._progress, rounds)
        alone = {**options, "nthread": 1}
        return boosted(
            alone, rounds, patience, learning, checking, base=self._base, callbacks=[callback]
        )


class _ProgressCallback(xgboost.callback.TrainingCallback):
    def __init__(self, progress: Progress, rounds: int) -> None:
        super().__init__()
        self._progress, self._rounds = progress, rounds

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        self._progress(FITTING, epoch + 1, self._rounds)
        return False
