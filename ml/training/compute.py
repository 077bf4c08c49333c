"""Where training runs: in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import xgboost
from numpy.typing import NDArray
from tqdm import tqdm

Job = TypeVar("Job")
Result = TypeVar("Result")


class Matrix(NamedTuple):
    """Rows to fit to: (N, F) features, (N,) target, (N,) weight."""

    features: NDArray[np.float32]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]


class Compute(Protocol):
    """Runs jobs side by side and fits trees; the same whatever it runs on."""

    def each(
        self, function: Callable[[Job], Result], jobs: Sequence[Job], label: str
    ) -> Iterator[Result]:
        """Run jobs; results come in the order of the jobs, with a progress bar."""
        ...

    def boost(
        self,
        options: dict[str, Any],
        rounds: int,
        patience: int,
        learning: Matrix,
        checking: Matrix,
    ) -> xgboost.Booster:
        """Fit trees until `patience` rounds bring nothing on `checking`; keep the best ones."""
        ...


def boosted(
    options: dict[str, Any],
    rounds: int,
    patience: int,
    learning: Matrix,
    checking: Matrix,
    *,
    base: xgboost.Booster | None = None,
    callbacks: Sequence[xgboost.callback.TrainingCallback] = (),
) -> xgboost.Booster:
    """Fit trees here, after those of `base` if there is one; those after the best are dropped."""
    learned = xgboost.QuantileDMatrix(*learning[:2], weight=learning.weight)
    checked = xgboost.QuantileDMatrix(*checking[:2], weight=checking.weight, ref=learned)
    fitted = xgboost.train(
        options,
        learned,
        num_boost_round=rounds,
        evals=[(checked, "validation")],
        early_stopping_rounds=patience,
        verbose_eval=False,
        xgb_model=base,
        callbacks=list(callbacks),
    )
    return fitted[: fitted.best_iteration + 1]


class Local:
    """Processes of one machine, and all of its cores.

    Parameters
    ----------
    workers
        Number of processes; None: one per core.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or os.cpu_count() or 1

    def each(
        self, function: Callable[[Job], Result], jobs: Sequence[Job], label: str
    ) -> Iterator[Result]:
        """Run jobs in processes."""
        count = min(self._workers, max(len(jobs), 1))
        bar = tqdm(total=len(jobs), desc=label, unit="system")
        with bar, ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
            for result in pool.map(function, jobs):
                bar.update()
                yield result

    def boost(
        self,
        options: dict[str, Any],
        rounds: int,
        patience: int,
        learning: Matrix,
        checking: Matrix,
    ) -> xgboost.Booster:
        """Fit trees with all cores."""
        return boosted(options, rounds, patience, learning, checking)


class Cluster:
    """A Dask cluster; needs the `dask` extra here and this package on its workers.

    Parameters
    ----------
    address
        Address of its scheduler, such as `tcp://10.0.0.5:8786`.

    Raises
    ------
    OSError
        If no scheduler answers there.
    """

    def __init__(self, address: str) -> None:
        from distributed import Client

        self._client = Client(address)

    def each(
        self, function: Callable[[Job], Result], jobs: Sequence[Job], label: str
    ) -> Iterator[Result]:
        """Run jobs on the workers."""
        futures = self._client.map(function, jobs, pure=False)
        for future in tqdm(futures, desc=label, unit="system"):
            yield future.result()
            future.release()

    def boost(
        self,
        options: dict[str, Any],
        rounds: int,
        patience: int,
        learning: Matrix,
        checking: Matrix,
    ) -> xgboost.Booster:
        """Fit trees with all workers, each on its part of the rows."""
        from xgboost import dask as xgboost_dask

        learned = xgboost_dask.DaskQuantileDMatrix(self._client, **self._spread(learning))
        checked = xgboost_dask.DaskQuantileDMatrix(
            self._client, **self._spread(checking), ref=learned
        )
        fitted = xgboost_dask.train(
            self._client,
            options,
            learned,
            num_boost_round=rounds,
            evals=[(checked, "validation")],
            early_stopping_rounds=patience,
            verbose_eval=False,
        )
        booster: xgboost.Booster = fitted["booster"]
        return booster[: booster.best_iteration + 1]

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()

    def _spread(self, rows: Matrix) -> dict[str, Any]:
        """Cut rows into as many parts as there are workers."""
        from dask import array

        workers = max(len(self._client.scheduler_info()["workers"]), 1)
        part = -(-len(rows.target) // workers)
        return {
            "data": array.from_array(rows.features, chunks=(part, -1)),
            "label": array.from_array(rows.target, chunks=part),
            "weight": array.from_array(rows.weight, chunks=part),
        }
