"""Recall at so many false alarms, and who is ahead."""

from __future__ import annotations

import numpy as np

from ml.metrics import Curve, ahead, candidates, curve
from ml.pool import Pool, Scored
from tests.ml.test_cascade import recording


def made(hits: list[list[float]], false: list[list[float]], incidents: list[float]) -> Curve:
    return Curve(np.array(hits), np.array(false), np.array(incidents))


def test_recall_is_that_of_the_best_threshold_that_is_allowed() -> None:
    curve = made([[1, 1], [1, 0], [0, 0]], [[2, 2], [1, 0], [0, 0]], [1, 1])
    assert curve.recall_at(2.0)[0] == 1.0
    assert curve.recall_at(0.5)[0] == 0.5
    assert curve.recall_at(0.1)[0] == 0.0


def test_a_score_that_says_nothing_is_counted_without_a_hit() -> None:
    silent = Scored(recording((0, 50, 70)), np.zeros((200, 1, 4)))
    known = curve(Pool([silent]))
    assert known.incidents.sum() == 1
    assert known.recall_at(0.5)[0] == 0.0
    assert candidates([silent]) == [1.0]


def test_the_interval_of_a_difference_is_paired() -> None:
    """Always one hit more in every episode: no doubt, however much the episodes differ."""
    rng = np.random.default_rng(0)
    incidents = rng.integers(2, 30, 60).astype(float)
    others = np.floor(incidents / 2.0)
    nothing = np.zeros((1, 60))
    better = Curve((others + 1.0)[None], nothing, incidents)
    worse = Curve(others[None], nothing, incidents)
    found = ahead(better, worse, 0.5)
    assert found["ci"][0] > 0.0
    assert found["difference"] == np.float64(f"{60 / incidents.sum():.6g}")
    level = ahead(worse, worse, 0.5)
    assert level == {"difference": 0.0, "ci": [0.0, 0.0]}
