"""The table of metrics: complete, and held against those that go by it."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
from google.protobuf.descriptor import Descriptor

from ml.serving import anomalies
from simulator.simulation import Simulation
from simulator.topologies import shipped
from sre_edge.v1 import snapshot_pb2
from telemetry.faults import Fault, FaultKind
from telemetry.frame import Age, Frame
from telemetry.metrics import (
    EDGE_METRICS,
    FRAME_METRICS,
    HISTORY_METRICS,
    METRICS,
    SERVICE_METRICS,
    Kind,
    Over,
)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """Frames of a system in trouble: a kill, a surge, lost calls."""
    simulation = Simulation(shipped("boutique"), seed=3)
    simulation.inject(Fault("cart", FaultKind.SERVICE_KILL, 20.0, 40.0))
    simulation.inject(Fault("frontend", FaultKind.TRAFFIC_SURGE, 40.0, 60.0, 3.0))
    return [simulation.next_frame() for _ in range(60)]


def doubles(message: Descriptor) -> set[str]:
    return {f.name for f in message.fields if f.cpp_type == f.CPPTYPE_DOUBLE and f.has_presence}


def ages(message: Descriptor) -> set[str]:
    """Fields that cost nothing on the wire while they are 0."""
    return {f.name for f in message.fields if f.cpp_type == f.CPPTYPE_DOUBLE and not f.has_presence}


def test_a_frame_has_exactly_the_metrics_of_the_table() -> None:
    others = {"t_s", "interval_s", "age"}
    assert {field.name for field in fields(Frame)} - others == {m.field for m in FRAME_METRICS}
    assert {field.name for field in fields(Age)} == {f"{kind}_s" for kind in Kind} - {
        f"{Kind.PREDICTION}_s"
    }
    assert max(Counter((m.kind is Kind.EDGES, m.name) for m in METRICS).values()) == 1


def test_a_message_has_exactly_the_metrics_of_the_table() -> None:
    of_services = doubles(snapshot_pb2.ServiceMetrics.DESCRIPTOR)
    assert of_services == {metric.name for metric in SERVICE_METRICS}
    assert doubles(snapshot_pb2.EdgeMetrics.DESCRIPTOR) == {metric.name for metric in EDGE_METRICS}


def test_a_message_says_the_age_of_each_kind_of_metric() -> None:
    of_services = ages(snapshot_pb2.ServiceMetrics.DESCRIPTOR)
    assert of_services == {f"{kind}_age_seconds" for kind in (Kind.REQUESTS, Kind.RESOURCES)}
    assert ages(snapshot_pb2.EdgeMetrics.DESCRIPTOR) == {"age_seconds"}


def test_what_looks_for_anomalies_watches_known_metrics() -> None:
    assert {name for name, *_ in anomalies.METRICS} <= {m.name for m in SERVICE_METRICS}


def test_each_metric_says_what_it_is() -> None:
    for metric in METRICS:
        assert metric.title
        assert metric.sentence.endswith(".")
        assert metric.unit == {"percent": "%", "ms": "ms", "rps": "req/s"}.get(
            metric.name.rpartition("_")[2], ""
        )


def test_the_simulator_keeps_within_the_limits(frames: list[Frame]) -> None:
    seen = 0
    for metric in FRAME_METRICS:
        values = np.stack([getattr(frame, metric.field) for frame in frames])
        known = values[np.isfinite(values)]
        seen += known.size
        assert metric.min is None or known.min() >= metric.min, metric
        assert metric.max is None or known.max() <= metric.max, metric
    assert seen > 5_000


def test_ratios_are_those_of_the_sums_that_the_table_names(frames: list[Frame]) -> None:
    named = {metric.name: metric for metric in SERVICE_METRICS}
    ratios = [metric for metric in FRAME_METRICS if metric.over_time.how is Over.RATIO]
    assert ratios
    for metric in METRICS:
        weights = {metric.over_time.part, metric.over_time.whole} - {""}
        assert weights <= {m.name for m in METRICS if m.kind is metric.kind}, metric
    for metric in ratios:
        part, whole = named[metric.over_time.part], named[metric.over_time.whole]
        assert part.over_time.how is whole.over_time.how is Over.SUM
        for frame in frames:
            with np.errstate(invalid="ignore"):
                ratio = 100.0 * getattr(frame, part.field) / getattr(frame, whole.field)
            np.testing.assert_allclose(getattr(frame, metric.field), ratio, rtol=1e-12)


def test_what_is_shown_has_a_bad_end() -> None:
    for metric in HISTORY_METRICS.values():
        assert metric.higher_is_worse is not None or not (metric.overview or metric.chart)


def test_a_simulated_frame_is_fresh(frames: list[Frame]) -> None:
    assert all(frame.age is None for frame in frames)
