"""Explanation of predictions: exact Shapley values of the trees, in NumPy.

For one leaf of value v whose path splits on d features, of which feature i lets a row pass (o_i =
1) or not (o_i = 0) and lets a share z_i of the training rows pass, its Shapley value is

    v (o_i - z_i) sum over sets S of the other features of |S|! (d - |S| - 1)! / d! prod ...

and the weights are those of a Beta integral, so that the sum is an integral of a product,

    v (o_i - z_i) int_0^1 prod over j != i of (z_j (1 - t) + o_j t) dt,

a polynomial in t that a Gauss-Legendre rule integrates exactly. It is what TreeSHAP gives
(Lundberg et al., Nature Machine Intelligence 2020, "path-dependent") and XGBoost's `pred_contribs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telemetry.graph import FloatArray, IntArray

ROWS_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Paths:
    """All paths from a root to a leaf: L of them, at most D features on each.

    Attributes
    ----------
    feature
        (L, D) index of the feature; 0 where a path has fewer.
    low, high
        (L, D) the path is taken for low <= value < high; float32, as XGBoost compares.
    if_missing
        (L, D) it is taken for a missing value.
    share
        (L, D) of the training rows that get there so far, those that pass this feature's splits.
    value
        (L,) what the leaf adds to the log-odds.
    """

    feature: IntArray
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    if_missing: NDArray[np.bool_]
    share: FloatArray
    value: FloatArray


class Explainer:
    """Shapley values of a model; safe to use from several threads.

    Parameters
    ----------
    trees
        Trees in the form of `ml.training.export.trees`.
    features
        Number of the model's inputs, F.
    """

    def __init__(self, trees: dict[str, Any], features: int) -> None:
        self._features = features
        self._paths = paths(trees["trees"])
        depth = self._paths.feature.shape[1]
        nodes, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
        self._rule = list(zip(0.5 + 0.5 * nodes, 0.5 * weights, strict=True))
        mean = float((self._paths.value * self._paths.share.prod(axis=1)).sum())
        self.base = float(trees["base"]) + mean

    def contributions(self, rows: NDArray[np.float32]) -> FloatArray:
        """Give what each input adds to the log-odds of each row, (N, F) -> (N, F).

        Together with `base` they sum up to the log-odds before calibration.
        """
        result = np.zeros((len(rows), self._features))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chunk = rows[start : start + ROWS_AT_ONCE]
            each = self._of_leaves(chunk)
            for place, values in enumerate(each):
                result[start + place] = np.bincount(
                    self._paths.feature.ravel(), values.ravel(), self._features
                )
        return result

    def _of_leaves(self, rows: NDArray[np.float32]) -> FloatArray:
        """Shapley value of each feature on each path, (N, L, D)."""
        p = self._paths
        x = rows[:, p.feature]
        passes = np.where(np.isnan(x), p.if_missing, (x >= p.low) & (x < p.high)).astype(np.float64)
        share = np.broadcast_to(p.share, passes.shape)
        total = np.zeros_like(passes)
        for t, weight in self._rule:
            factor = share * (1.0 - t) + passes * t
            before = np.ones_like(factor)
            np.cumprod(factor[..., :-1], axis=-1, out=before[..., 1:])
            after = np.ones_like(factor)
            after[..., :-1] = np.cumprod(factor[..., :0:-1], axis=-1)[..., ::-1]
            total += weight * before * after
        total *= passes - share
        total *= p.value[:, None]
        return total


def paths(trees: list[dict[str, list[Any]]]) -> Paths:
    """Follow every path of every tree; splits on one feature count once."""
    found: list[tuple[dict[int, list[float]], float]] = []
    for tree in trees:
        _follow(tree, 0, {}, found)
    depth = max([len(steps) for steps, _ in found] + [1])
    feature = np.zeros((len(found), depth), dtype=np.intp)
    numbers = np.empty((4, len(found), depth))
    numbers[:] = np.array([-np.inf, np.inf, 1.0, 1.0])[:, None, None]
    for row, (steps, _) in enumerate(found):
        for column, (which, stated) in enumerate(steps.items()):
            feature[row, column] = which
            numbers[:, row, column] = stated
    low, high, if_missing, share = numbers
    return Paths(
        feature=feature,
        low=low.astype(np.float32),
        high=high.astype(np.float32),
        if_missing=if_missing > 0.0,
        share=share,
        value=np.array([value for _, value in found]),
    )


def _follow(
    tree: dict[str, list[Any]],
    node: int,
    steps: dict[int, list[float]],
    found: list[tuple[dict[int, list[float]], float]],
) -> None:
    """Go on from a node; `steps` holds low, high, if missing, and share of each feature so far."""
    left, right = tree["left"][node], tree["right"][node]
    limit = tree["limit"][node]
    if left < 0:
        found.append((steps, limit))
        return
    feature = tree["feature"][node]
    low, high, if_missing, share = steps.get(feature, [-np.inf, np.inf, 1.0, 1.0])
    for child, bounds, missing_goes in (
        (left, (low, min(high, limit)), tree["missing_left"][node]),
        (right, (max(low, limit), high), not tree["missing_left"][node]),
    ):
        goes = share * tree["cover"][child] / tree["cover"][node]
        there = [*bounds, if_missing if missing_goes else 0.0, goes]
        _follow(tree, child, {**steps, feature: there}, found)
