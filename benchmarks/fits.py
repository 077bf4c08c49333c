"""How a cost grows: a power law and a straight line, by least squares of relative errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls


class Fit(NamedTuple):
    """A law, what it says of a size, and how far off it is: root mean square, relative."""

    text: str
    cost: Callable[[np.ndarray], np.ndarray]
    error: float


def power_law(points: Sequence[tuple[float, float]]) -> Fit:
    """Fit `cost = c * size ** k`: a line through the logarithms."""
    size, cost = np.array(points).T
    exponent, level = (float(one) for one in np.polyfit(np.log(size), np.log(cost), 1))
    factor = float(np.exp(level))

    def law(x: np.ndarray) -> np.ndarray:
        return factor * x**exponent

    return Fit(f"{factor:.3g} · n^{exponent:.2f}", law, _error(law(size), cost))


def affine(points: Sequence[tuple[float, float]]) -> Fit:
    """Fit `cost = a + b * size`, neither of them negative."""
    size, cost = np.array(points).T
    design = np.stack([1.0 / cost, size / cost], axis=1)
    (fixed, each), _ = nnls(design, np.ones_like(cost))

    def law(x: np.ndarray) -> np.ndarray:
        return fixed + each * x

    return Fit(f"{fixed:.3g} + {each:.3g} · n", law, _error(law(size), cost))


def better(points: Sequence[tuple[float, float]]) -> Fit:
    """Fit both, and give the one that is less far off."""
    return min(power_law(points), affine(points), key=lambda fit: fit.error)


def _error(stated: np.ndarray, cost: np.ndarray) -> float:
    return float(np.sqrt(np.mean((stated / cost - 1.0) ** 2)))
