"""Simple scores that the model has to beat, from the same features (evaluation.md, section 3).

Each takes features (T, B, S, F) and gives a score (T, B, S); higher means more likely.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.features import NAMES, active_rows
from ml.serving.artefact import LOGISTIC
from telemetry.graph import FloatArray

Features = NDArray[np.float32]
Baseline = Callable[[Features], FloatArray]

BURN_SHORT_FRAMES, BURN_LONG_FRAMES = 5, 30


def _column(features: Features, name: str) -> FloatArray:
    return np.nan_to_num(features[..., NAMES.index(name)].astype(np.float64))


def static_threshold(features: Features) -> FloatArray:
    """Score the seed's rules: the share of its limits that are exceeded."""
    exceeded: FloatArray = (
        1.0 * (_column(features, "cpu_percent") > 80.0)
        + 1.0 * (_column(features, "memory_percent") > 85.0)
        + 1.0 * (_column(features, "error_rate_percent") > 2.0)
        + 1.0 * (_column(features, "p95_over_slo") > 0.8)
        + 1.0 * (_column(features, "availability_percent") < 95.0)
    ) / 5.0
    return exceeded


def robust_z(features: Features) -> FloatArray:
    """Score the largest deviation from the service's own past."""
    names = ("cpu", "memory", "latency", "p95", "error_rate", "request")
    deviations = [_column(features, f"{name}_z_smooth") for name in names]
    score: FloatArray = np.max(deviations, axis=0) / 20.0
    return score


def extrapolation(features: Features) -> FloatArray:
    """Score how soon a limit is reached if everything goes on at its slope."""
    names = ("memory_full_s", "cpu_full_s", "slo_reached_s")
    soonest = np.min([_column(features, name) for name in names], axis=0)
    score: FloatArray = 1.0 / (1.0 + soonest / 60.0)
    return score


def burn_rate(features: Features) -> FloatArray:
    """Score the burn rate of the error budget, in a short and a long window at once."""
    burn = _column(features, "errors_over_slo")
    total = np.concatenate([np.zeros((1, *burn.shape[1:])), np.cumsum(burn, axis=0)])

    def mean(frames: int) -> FloatArray:
        first = np.maximum(np.arange(len(burn)) + 1 - frames, 0)
        last = np.arange(len(burn)) + 1
        span = (last - first)[:, None, None]
        windowed: FloatArray = (total[last] - total[first]) / span
        return windowed

    both = np.minimum(mean(BURN_SHORT_FRAMES), mean(BURN_LONG_FRAMES))
    return np.minimum(both / 100.0, 1.0)


class LogisticRegression:
    """A logistic regression on the learned features, read from a model directory.

    It learned from the same rows as the model, and like it is evaluated for active rows only.
    """

    def __init__(self, directory: Path) -> None:
        stated = json.loads((directory / LOGISTIC).read_text(encoding="utf-8"))
        self._columns = np.array([NAMES.index(name) for name in stated["features"]])
        self._centre, self._scale = np.array(stated["centre"]), np.array(stated["scale"])
        self._weights, self._intercept = np.array(stated["weights"]), stated["intercept"]

    def __call__(self, features: Features) -> FloatArray:
        """Score features."""
        rows = (features[..., self._columns] - self._centre) / self._scale
        logit = np.clip(np.nan_to_num(rows), -10.0, 10.0) @ self._weights + self._intercept
        score = 1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0)))
        return np.where(active_rows(features), score, 0.0)


def baselines(directory: Path) -> dict[str, Baseline]:
    """All baselines by name; the logistic regression is the one of a model directory."""
    return {
        "static_threshold": static_threshold,
        "burn_rate": burn_rate,
        "robust_z": robust_z,
        "extrapolation": extrapolation,
        "logistic_regression": LogisticRegression(directory),
    }
