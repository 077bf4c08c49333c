"""Which objectives a service misses in one frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from server.pipeline.violations import missed_objectives
from telemetry.graph import ServiceGraph
from tests.server.pipeline.frames import NAMES, frame, graph

STORE = NAMES.index("store")


@pytest.fixture
def promised() -> ServiceGraph:
    """Give a graph with one objective of each kind at the store."""
    given = graph()

    def of(value: float) -> np.ndarray:
        return np.full(given.services, value)

    return replace(
        given,
        slo_latency_ms=of(100.0),
        slo_error_rate_percent=of(5.0),
        slo_availability_percent=of(90.0),
        slo_throughput_rps=of(10.0),
    )


KEPT = {
    "latency_p95_ms": 100.0, "error_rate_percent": 5.0, "availability_percent": 90.0,
    "throughput_rps": 10.0, "request_count": 20.0,
}  # fmt: skip


def missed(promised: ServiceGraph, **values: float) -> list[tuple[str, float, float]]:
    made = frame(0, {"store": {**KEPT, **values}})
    return [tuple(one) for one in missed_objectives(made, promised, STORE)]


def test_what_is_just_kept_is_not_missed(promised: ServiceGraph) -> None:
    assert missed(promised) == []


@pytest.mark.parametrize(
    ("metric", "value", "objective"),
    [
        ("latency_p95_ms", 100.1, 100.0),
        ("error_rate_percent", 5.1, 5.0),
        ("availability_percent", 89.9, 90.0),
        ("throughput_rps", 9.9, 10.0),
    ],
)
def test_each_objective_is_missed_on_its_own(
    promised: ServiceGraph, metric: str, value: float, objective: float
) -> None:
    assert missed(promised, **{metric: value}) == [(metric, value, objective)]
    assert missed(promised, **{metric: np.nan}) == []


def test_throughput_counts_only_under_enough_load(promised: ServiceGraph) -> None:
    assert missed(promised, throughput_rps=5.0, request_count=19.9) == []


def test_an_objective_that_is_not_known_is_not_missed(promised: ServiceGraph) -> None:
    unknown = replace(promised, slo_error_rate_percent=np.full(promised.services, np.nan))
    assert missed(unknown, error_rate_percent=100.0) == []
