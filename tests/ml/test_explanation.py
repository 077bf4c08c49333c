"""Why the model says so: exact values, and words for each of them."""

from __future__ import annotations

import itertools
from math import factorial

import numpy as np
import pytest
import xgboost

from ml.features import LEARNED, NAMES, FeatureExtractor
from ml.features.table import NEIGHBOUR_FEATURES
from ml.serving.explanation import Explainer, paths
from ml.serving.factors import top_factors
from ml.training.export import trees
from simulator.simulation import Simulation
from simulator.topologies import shipped
from telemetry.faults import Fault, FaultKind
from telemetry.frame import Frame


def trained(depth: int, inputs: int = 12) -> tuple[xgboost.Booster, np.ndarray]:
    rng = np.random.default_rng(depth)
    rows = rng.normal(size=(3000, inputs)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    known = np.nan_to_num(rows)
    label = known[:, 0] * known[:, 1] + known[:, 2] + 0.3 * rng.normal(size=len(rows)) > 0.5
    options = {"objective": "binary:logistic", "max_depth": depth, "eta": 0.2}
    return xgboost.train(options, xgboost.DMatrix(rows, label.astype(float)), 60), rows


@pytest.mark.parametrize("depth", [1, 2, 5, 8])
def test_contributions_are_those_of_xgboost(depth: int) -> None:
    booster, rows = trained(depth)
    explainer = Explainer(trees(booster), rows.shape[1])
    expected = booster.predict(xgboost.DMatrix(rows[:40]), pred_contribs=True)
    np.testing.assert_allclose(explainer.contributions(rows[:40]), expected[:, :-1], atol=2e-5)
    assert explainer.base == pytest.approx(float(expected[0, -1]), abs=2e-5)


def test_contributions_and_base_sum_up_to_the_log_odds() -> None:
    booster, rows = trained(6)
    explainer = Explainer(trees(booster), rows.shape[1])
    total = explainer.base + explainer.contributions(rows[:40]).sum(axis=1)
    margin = booster.predict(xgboost.DMatrix(rows[:40]), output_margin=True)
    np.testing.assert_allclose(total, margin, atol=2e-5)


def test_contributions_are_shapley_values_by_their_definition() -> None:
    """All sets of features of one tree, one by one."""
    booster, rows = trained(3, inputs=4)
    tree = trees(booster)["trees"][0]
    found = paths([tree])
    row = rows[0]

    def value(known: frozenset[int]) -> float:
        total = 0.0
        for leaf in range(len(found.value)):
            weight = 1.0
            for f, low, high, missing, share in zip(
                found.feature[leaf], found.low[leaf], found.high[leaf],
                found.if_missing[leaf], found.share[leaf], strict=True,
            ):  # fmt: skip
                passes = missing if np.isnan(row[f]) else low <= row[f] < high
                weight *= float(passes) if int(f) in known else share
            total += weight * found.value[leaf]
        return total

    got = Explainer({"base": 0.0, "trees": [tree]}, 4).contributions(rows[:1])[0]
    for feature in range(4):
        others = [f for f in range(4) if f != feature]
        expected = sum(
            factorial(size) * factorial(3 - size) / factorial(4)
            * (value(frozenset({*chosen, feature})) - value(frozenset(chosen)))
            for size in range(4)
            for chosen in itertools.combinations(others, size)
        )  # fmt: skip
        assert got[feature] == pytest.approx(expected, abs=1e-9)


def leaking() -> tuple[Simulation, Frame, np.ndarray]:
    simulation = Simulation(shipped("default"), seed=3)
    simulation.inject(Fault("database", FaultKind.MEMORY_LEAK, 100.0, 300.0, 2.0))
    extractor = FeatureExtractor(simulation.graph)
    for _ in range(80):
        frame = simulation.next_frame()
        features = extractor.update(frame)[0]
    return simulation, frame, features


def test_every_learned_feature_has_words() -> None:
    simulation, frame, features = leaking()
    for name in LEARNED:
        weights = np.array([1.0 if other == name else 0.0 for other in LEARNED])
        (factor,) = top_factors(simulation.graph, frame, features, 0, LEARNED, weights)
        assert factor.feature == name
        assert factor.text
        assert "nan" not in factor.text


def test_a_reason_elsewhere_names_the_service_that_it_is_about() -> None:
    simulation, frame, features = leaking()
    weights = np.zeros(len(LEARNED))
    weights[LEARNED.index("below_memory_soonest_s")] = 1.0
    gateway = simulation.graph.index["api-gateway"]
    (factor,) = top_factors(simulation.graph, frame, features, gateway, LEARNED, weights)
    assert factor.service == "database"
    assert factor.text.startswith("database memory reaches its limit in about")
    seconds = float(factor.text.split("about ")[1].split(" s")[0])
    database = features[simulation.graph.index["database"]]
    assert seconds == round(database[NAMES.index("memory_full_s")])


def test_what_lowers_the_risk_is_no_reason() -> None:
    simulation, frame, features = leaking()
    weights = -np.ones(len(LEARNED))
    assert top_factors(simulation.graph, frame, features, 0, LEARNED, weights) == []


def test_extremes_elsewhere_are_those_of_the_table() -> None:
    """A chain from the gateway down: what is below it is everything else."""
    simulation, _, features = leaking()
    gateway = simulation.graph.index["api-gateway"]
    others = [i for i in range(simulation.graph.services) if i != gateway]
    for name, among, sign, base in NEIGHBOUR_FEATURES:
        if among == "below":
            values = features[others, NAMES.index(base)]
            expected = np.nanmax(values) if sign > 0 else np.nanmin(values)
            assert features[gateway, NAMES.index(name)] == pytest.approx(expected)
