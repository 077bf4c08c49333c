"""Features: from frames alone, the same in training and serving, for any system."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ml.definitions.breach import breached
from ml.features import FEATURES, LEARNED, NAMES, FeatureExtractor
from ml.features.reach import failure_spread
from ml.features.strain import Jumps, strain
from ml.features.table import markdown
from ml.features.trends import Baseline, Window
from simulator.dynamics.load import Load
from simulator.simulation import Simulation
from simulator.topologies import shipped
from simulator.topology.file import parse_topology
from telemetry.faults import Fault, FaultKind
from telemetry.frame import Frame
from telemetry.graph import ServiceGraph

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ("dependency_health", "cascade_risk", "slo_violations", "critical_path_latency_ms",
         "hour_of_day", "is_peak_hour", "is_weekend")  # fmt: skip


def frames(
    name: str, count: int, copies: int = 1, *faults: Fault
) -> tuple[ServiceGraph, list[Frame]]:
    loads = [Load(0.9 + 0.1 * i) for i in range(copies)]
    simulation = Simulation(shipped(name), copies=copies, seed=2, loads=loads)
    for fault in faults:
        simulation.inject(fault)
    return simulation.graph, [simulation.next_frame() for _ in range(count)]


def extracted(graph: ServiceGraph, seen: list[Frame], copies: int = 1) -> np.ndarray:
    extractor = FeatureExtractor(graph, copies)
    return np.stack([extractor.update(frame) for frame in seen])


def test_there_are_forty_and_more_and_the_seeds_are_among_them() -> None:
    assert len(LEARNED) >= 40
    assert len(set(NAMES)) == len(NAMES)
    assert set(SEEDS) <= set(NAMES)
    for feature in FEATURES:
        assert feature.unit
        assert feature.source
        assert feature.meaning


def test_the_document_shows_the_table_of_now() -> None:
    assert (ROOT / "docs" / "features.md").read_text() == markdown()


def test_no_feature_names_a_service_or_needs_absolute_load() -> None:
    assert not {"latency_ms", "throughput_rps", "hour_of_day"} & set(LEARNED)


@pytest.mark.parametrize("system", ["boutique", "deep-chain", "wide-fan-out"])
def test_a_copy_has_the_same_features_alone_and_in_a_batch(system: str) -> None:
    graph, together = frames(system, 40, 3)
    alone = [
        Frame(**{f.name: v[1:2] if isinstance(v := getattr(frame, f.name), np.ndarray) else v
                 for f in fields(Frame)})
        for frame in together
    ]  # fmt: skip
    np.testing.assert_array_equal(
        extracted(graph, together, 3)[:, 1:2], extracted(graph, alone), strict=True
    )


def test_features_do_not_depend_on_the_order_of_services() -> None:
    fault = Fault("cart", FaultKind.DISK_SLOWDOWN, 60, 60, 3.0)
    graph, seen = frames("boutique", 50, 1, fault)
    order = np.random.default_rng(0).permutation(graph.services)
    place = np.argsort(order)
    services = {"slo_latency_ms", "slo_error_rate_percent", "slo_availability_percent", "entry"}
    turned = replace(
        graph,
        names=tuple(graph.names[i] for i in order),
        kinds=tuple(graph.kinds[i] for i in order),
        caller=place[graph.caller],
        callee=place[graph.callee],
        **{name: getattr(graph, name)[order] for name in services},
    )
    turned_frames = [
        Frame(**{f.name: v[:, order] if isinstance(v := getattr(frame, f.name), np.ndarray)
                 and not f.name.startswith("edge_") else v for f in fields(Frame)})
        for frame in seen
    ]  # fmt: skip
    np.testing.assert_allclose(
        extracted(turned, turned_frames), extracted(graph, seen)[:, :, order], rtol=1e-9, atol=1e-9
    )


def test_what_is_not_observed_stays_missing_and_breaks_nothing() -> None:
    fault = Fault("database", FaultKind.SERVICE_KILL, 70, 20)
    graph, seen = frames("default", 60, 1, fault)
    rows = extracted(graph, seen)
    assert np.isnan(rows[40, 0, 3, NAMES.index("cpu_percent")])
    assert not np.isinf(rows).any()
    nothing = Frame(
        **{f.name: np.full_like(v, np.nan) if isinstance(v := getattr(seen[0], f.name), np.ndarray)
           else v for f in fields(Frame)}
    )  # fmt: skip
    assert not np.isinf(extracted(graph, [nothing] * 40)).any()


def test_rows_are_not_overwritten_by_the_next_frame() -> None:
    lone = parse_topology({"name": "lone", "services": [{"name": "lone"}]}, source="lone")
    simulation = Simulation(lone, copies=1, seed=1)
    extractor = FeatureExtractor(simulation.graph)
    rows = extractor.update(simulation.next_frame())
    before = rows.copy()
    extractor.update(simulation.next_frame())
    np.testing.assert_array_equal(rows, before)


def test_a_frame_of_another_system_is_refused() -> None:
    graph, _ = frames("default", 1)
    _, (other,) = frames("boutique", 1)
    extractor = FeatureExtractor(graph)
    with pytest.raises(ValueError, match=r"cpu_percent of shape \(1, 4\), got \(1, 11\)"):
        extractor.update(other)
    empty = replace(graph, names=(), kinds=())
    with pytest.raises(ValueError, match="at least one service"):
        FeatureExtractor(empty)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("memory_percent", np.array([[50.0, np.inf, 50.0, 50.0]]), "to be finite or NaN"),
        ("edge_latency_ms", np.full((1, 4), -np.inf), "to be finite or NaN"),
        ("latency_p95_ms", np.array([[20.0]]), r"of shape \(1, 4\), got \(1, 1\)"),
        ("edge_call_rate_rps", np.zeros((1, 9)), r"of shape \(1, 4\), got \(1, 9\)"),
    ],
)
def test_a_frame_that_cannot_be_is_refused_as_if_it_had_never_come(
    name: str, value: np.ndarray, expected: str
) -> None:
    graph, seen = frames("default", 40)
    assert graph.edges == 4
    expected_rows = extracted(graph, seen)
    extractor = FeatureExtractor(graph)
    for number, frame in enumerate(seen):
        if number == 20:
            with pytest.raises(ValueError, match=f"expected {name} {expected}"):
                extractor.update(replace(frame, **{name: value}))
        np.testing.assert_array_equal(extractor.update(frame), expected_rows[number])


def test_a_jump_is_noticed_and_a_steady_slope_is_none() -> None:
    jumps = Jumps((1, 1, 2))
    path = np.array([[0.0, 0.0, 0.0, 15.0, 15.0, 15.0], [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]])
    noticed = [jumps.update(path[:, k][None, None])[0] for k in range(6)]
    assert [bool(n[0]) for n in noticed] == [False, False, False, True, True, False]
    assert not any(n[1] for n in noticed)


def test_strain_is_one_where_a_breach_begins() -> None:
    graph, seen = frames("default", 40, 1, Fault("database", FaultKind.ERROR_BURST, 20, 200, 2, 60))
    for frame in seen:
        bad = breached(frame, graph)
        near = strain(frame, graph)
        assert (near[bad] >= 1.0).all()
        assert (near[~bad & ~np.isnan(near)] <= 1.0).all()


def test_time_features_follow_the_simulated_clock() -> None:
    graph, (frame,) = frames("default", 1)
    row = FeatureExtractor(graph).update(frame, [datetime(2026, 11, 21, 14, 30)])[0, 0]
    shown = dict(zip(NAMES, row, strict=True))
    assert (shown["hour_of_day"], shown["is_peak_hour"], shown["is_weekend"]) == (14.5, 1, 1)


def test_a_leak_shows_in_slope_and_time_to_exhaustion() -> None:
    leak = Fault("database", FaultKind.MEMORY_LEAK, 60, 200, 2.0)
    graph, seen = frames("default", 60, 1, leak)
    row = dict(zip(NAMES, extracted(graph, seen)[-1, 0, 3], strict=True))
    assert row["memory_slope_30s"] == pytest.approx(0.4, rel=0.1)  # 80 % of the limit in 200 s
    left = 100.0 - row["memory_percent"]
    assert row["memory_full_s"] == pytest.approx(left / 0.4, rel=0.15)
    caller = dict(zip(NAMES, extracted(graph, seen)[-1, 0, 1], strict=True))
    assert caller["below_memory_soonest_s"] == row["memory_full_s"]


def test_slopes_are_those_of_least_squares() -> None:
    window = Window((2,), 30, 2.0)
    rng = np.random.default_rng(1)
    values = np.cumsum(rng.normal(size=(50, 2)), axis=0)
    for value in values:
        window.update(value)
    for count in (5, 15, 30):
        expected = np.polyfit(np.arange(count) * 2.0, values[-count:], 1)[0]
        np.testing.assert_allclose(window.slope_per_s(count), expected, rtol=1e-9)


def test_a_baseline_is_hardly_moved_by_an_outburst() -> None:
    baseline = Baseline((1,), 0.1)
    rng = np.random.default_rng(3)
    for value in rng.normal(100.0, 2.0, 300):
        baseline.update(np.array([value]))
    for _ in range(15):
        baseline.update(np.array([1000.0]))
    assert baseline.location[0] == pytest.approx(100.0, abs=3.0)
    assert baseline.deviation(np.array([1000.0]))[0] == 20.0


def test_a_failure_spreads_along_required_calls_to_the_entries() -> None:
    graph = shipped("boutique").graph()
    risk = dict(zip(graph.names, failure_spread(graph), strict=True))
    assert risk["frontend"] == 1.0
    assert risk["product-catalog"] == 1.0  # called by every request of the frontend
    assert risk["ad"] < 0.1  # optional
    assert 0.09 < risk["payment"] < 0.2  # only by a checkout, one request in ten
