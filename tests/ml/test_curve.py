"""Recall at so many false alarms, and who is ahead."""

from __future__ import annotations

import numpy as np

from ml.evaluation.metrics import Curve, candidates, curve, recall_gain
from ml.evaluation.pool import Pool, Scored
from tests.ml.test_cascade import recording


def made(hits: list[list[float]], false: list[list[float]], incidents: list[float]) -> Curve:
    """Make one in which every incident is foreseeable."""
    found, known = np.array(hits, dtype=float), np.array(incidents, dtype=float)
    return Curve(found, found, np.array(false, dtype=float), known, known)


def test_recall_is_that_of_the_best_threshold_that_is_allowed() -> None:
    curve = made([[1, 1], [1, 0], [0, 0]], [[2, 2], [1, 0], [0, 0]], [1, 1])
    assert curve.recall_at(2.0)[0] == 1.0
    assert curve.recall_at(0.5)[0] == 0.5
    assert curve.recall_at(0.1)[0] == 0.0


def test_recall_at_a_precision_is_that_of_the_thresholds_that_reach_it() -> None:
    curve = made([[2, 1], [1, 1], [0, 0]], [[1, 2], [0, 0], [0, 0]], [2, 2])
    assert curve.foreseeable_recall_at_precision(0.5) == 0.75
    assert curve.foreseeable_recall_at_precision(0.94) == 0.5
    assert made([[0]], [[1]], [1]).foreseeable_recall_at_precision(0.94) == 0.0
    assert made([[0]], [[0]], [0]).foreseeable_recall_at_precision(0.94) is None


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
    nothing = [[0.0] * 60]
    better = made([list(others + 1.0)], nothing, list(incidents))
    worse = made([list(others)], nothing, list(incidents))
    found = recall_gain(better, worse, 0.5)
    assert found["ci"][0] > 0.0
    assert found["difference"] == np.float64(f"{60 / incidents.sum():.6g}")
    level = recall_gain(worse, worse, 0.5)
    assert level == {"difference": 0.0, "ci": [0.0, 0.0]}
