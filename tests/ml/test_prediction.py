"""One rule makes predictions, for one service and for many."""

from __future__ import annotations

import numpy as np
import pytest

from ml.definitions.risk import MEDIUM_FROM
from ml.serving.prediction import known, predict, predict_one
from ml.serving.predictor import Predictor

SERVICES = 200


@pytest.fixture(scope="module")
def model() -> Predictor:
    return Predictor()


@pytest.fixture(scope="module")
def rows(model: Predictor) -> np.ndarray:
    rng = np.random.default_rng(3)
    scale = np.geomspace(0.001, 20.0, SERVICES)[:, None]  # some of low risk
    rows = (rng.normal(size=(SERVICES, len(model.manifest.features))) * scale).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows


def test_what_is_known_needs_no_tree(model: Predictor) -> None:
    active = np.array([False, True, False, True])
    ongoing = np.array([False, False, True, True])
    quiet = model.manifest.calibration.quiet
    np.testing.assert_array_equal(known(model, active, ongoing), [quiet, np.nan, 1.0, 1.0])


def test_the_trees_are_asked_where_nothing_is_known(model: Predictor, rows: np.ndarray) -> None:
    state = np.arange(SERVICES) % 3
    probability, types = predict(model, rows, known(model, state > 0, state == 2))
    np.testing.assert_array_equal(probability[state == 0], model.manifest.calibration.quiet)
    np.testing.assert_array_equal(
        probability[state == 1], model.probability_of_rows(rows[state == 1])
    )
    np.testing.assert_array_equal(probability[state == 2], 1.0)
    at_risk = probability >= MEDIUM_FROM
    assert 0 < at_risk[state == 1].sum() < (state == 1).sum()
    np.testing.assert_array_equal(types[at_risk], model.types_of_rows(rows[at_risk]))
    assert np.isnan(types[~at_risk]).all()


def test_one_is_predicted_as_among_others(model: Predictor, rows: np.ndarray) -> None:
    state = np.arange(SERVICES) % 3
    given = known(model, state > 0, state == 2)
    together = predict(model, rows, given)
    for service in range(SERVICES):
        probability, types = predict_one(model, rows[service], given.item(service))
        # Python's logarithm and NumPy's may differ in the last bit.
        assert probability == pytest.approx(together.probability[service], rel=1e-14)
        if types is None:
            assert probability < MEDIUM_FROM
            assert np.isnan(together.types[service]).all()
        else:
            np.testing.assert_array_equal(types, together.types[service])


def test_nobody_is_predicted_without_services(model: Predictor, rows: np.ndarray) -> None:
    nobody = np.zeros(0, dtype=np.bool_)
    probability, types = predict(model, rows[:0], known(model, nobody, nobody))
    assert probability.shape == (0,)
    assert types.shape == (0, len(model.manifest.types))
