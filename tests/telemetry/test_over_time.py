"""How metrics are summed over time: frames of 2 s against what the simulator sums over 10 s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from simulator.observation import measurement
from simulator.simulation import Simulation
from simulator.topologies import shipped
from telemetry.faults import Fault, FaultKind
from telemetry.frame import Frame
from telemetry.graph import FloatArray
from telemetry.metrics import FRAME_METRICS, Metric, Over, OverTime

SHORT_S, LONG_S, LENGTH_S = 2.0, 10.0, 100.0
EACH = round(LONG_S / SHORT_S)
ESTIMATED = {"latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "edge_latency_ms"}
"""No weights make these exact: percentiles of a whole are not the mean of those of its parts, and
a call that nobody waits for counts in the rate of an edge only."""


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[list[Frame], list[Frame]]]:
    """Short and long frames of one run of a system in trouble, without errors of measurement."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "counted", lambda expected, *_: expected)
        patch.setattr(measurement, "sampled", lambda value, *_: value)
        patch.setattr(measurement, "busy_deviation", lambda busy, *_: np.zeros_like(busy))
        patch.setattr(measurement, "MEMORY_NOISE_PERCENT", 0.0)
        found = []
        for interval_s in (SHORT_S, LONG_S):
            patch.setattr("simulator.simulation.FRAME_INTERVAL_S", interval_s)
            found.append(run(round(LENGTH_S / interval_s)))
        yield found[0], found[1]


def run(frames: int) -> list[Frame]:
    simulation = Simulation(shipped("boutique"), seed=3)
    for fault in (
        Fault("frontend", FaultKind.TRAFFIC_SURGE, 5.0, 60.0),
        Fault("cart", FaultKind.ERROR_BURST, 12.0, 40.0),
        Fault("payment", FaultKind.CPU_SPIKE, 21.0, 40.0, 2.0),
        Fault("ad", FaultKind.SERVICE_KILL, 31.0, 25.0, share=0.5),
    ):
        simulation.inject(fault)
    return [simulation.next_frame() for _ in range(frames)]


def together(metric: Metric, frames: Sequence[Frame]) -> FloatArray:
    """Sum a metric over frames of equal length, as its row says."""

    def values(name: str) -> FloatArray:
        (field,) = (m.field for m in FRAME_METRICS if (m.name, m.kind) == (name, metric.kind))
        return np.stack([getattr(frame, field) for frame in frames])

    rule, own = metric.over_time, values(metric.name)
    if rule.how is Over.SUM:
        return own.sum(axis=0)
    if rule.how is Over.RATIO:
        with np.errstate(invalid="ignore"):
            return 100.0 * values(rule.part).sum(axis=0) / values(rule.whole).sum(axis=0)
    assert rule.how is Over.MEAN
    weights = values(rule.whole) if rule.whole else np.ones_like(own)
    seen = np.where(weights > 0.0, own, 0.0)
    with np.errstate(invalid="ignore"):
        return (seen * weights).sum(axis=0) / weights.sum(axis=0)


def deviation(metric: Metric, short: Sequence[Frame], long: Sequence[Frame]) -> float:
    """Give the largest relative deviation from the long frames; what is missing must be alike."""
    largest = 0.0
    for i, frame in enumerate(long):
        summed, seen = (
            together(metric, short[EACH * i : EACH * (i + 1)]),
            getattr(frame, metric.field),
        )
        np.testing.assert_array_equal(np.isnan(summed), np.isnan(seen))
        known = np.isfinite(seen) & (seen != 0.0)
        assert known.any() or not seen.any()
        largest = max(largest, np.max(np.abs(summed[known] / seen[known] - 1.0), initial=0.0))
    return largest


@pytest.mark.parametrize("metric", FRAME_METRICS, ids=lambda metric: metric.field)
def test_a_metric_is_summed_as_its_row_says(
    both: tuple[list[Frame], list[Frame]], metric: Metric
) -> None:
    assert deviation(metric, *both) < (5e-3 if metric.field in ESTIMATED else 1e-9)


@pytest.mark.parametrize(
    "metric", [m for m in FRAME_METRICS if m.over_time.whole], ids=lambda metric: metric.field
)
def test_another_weight_would_be_noticed(
    both: tuple[list[Frame], list[Frame]], metric: Metric
) -> None:
    unweighted = replace(metric, over_time=OverTime(Over.MEAN))
    assert deviation(unweighted, *both) > 5e-3
