"""A status says what is known: what is not observed, or long ago, is neither healthy nor down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.definitions.breach import breached
from server.pipeline.events import EventStage, FrameChanges
from server.pipeline.state import statuses
from server.records.findings import Status
from telemetry.frame import Age, Frame
from telemetry.metrics import SERVICE_METRICS
from tests.server.pipeline.frames import FAILING, NAMES, START, frame, graph

NOTHING = {metric.name: np.nan for metric in SERVICE_METRICS}
NO_REQUESTS = {
    "latency_p95_ms": np.nan, "error_rate_percent": np.nan, "request_count": 0.0,
    "throughput_rps": 0.0,
}  # fmt: skip
OF_STORE = NAMES.index("store")


def of_store(shown: Frame) -> Status:
    return statuses(shown, breached(shown, graph())[0])[OF_STORE]


def aged(shown: Frame, requests_s: float, resources_s: float) -> Frame:
    """Give a frame in which what is known of the store has these ages, and all else is fresh."""
    services, edges = shown.request_count.shape, shown.edge_latency_ms.shape
    age = Age(np.zeros(services), np.zeros(services), np.zeros(edges))
    age.requests_s[0, OF_STORE], age.resources_s[0, OF_STORE] = requests_s, resources_s
    return replace(shown, age=age)


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (NOTHING, Status.UNKNOWN),
        (NOTHING | {"cpu_percent": 40.0, "request_count": 3.0}, Status.UNKNOWN),
        (NO_REQUESTS, Status.HEALTHY),
        (NOTHING | {"availability_percent": 100.0}, Status.HEALTHY),
        (NOTHING | {"availability_percent": 0.0}, Status.DOWN),
        (NOTHING | {"error_rate_percent": 0.0}, Status.HEALTHY),
        (NOTHING | {"error_rate_percent": 100.0}, Status.DOWN),
        (NOTHING | {"latency_p95_ms": 40.0}, Status.HEALTHY),
        (NOTHING | {"latency_p95_ms": 4000.0}, Status.DEGRADED),
        (FAILING, Status.DEGRADED),
    ],
)
def test_a_status_needs_something_that_decides_it(values: dict[str, float], status: Status) -> None:
    assert of_store(frame(changes={"store": values})) is status


@pytest.mark.parametrize(
    ("interval_s", "requests_s", "resources_s", "known"),
    [
        (2.0, 0.0, 0.0, True),
        (2.0, 60.0, 6.0, True),
        (2.0, 6.0, 60.0, True),
        (2.0, 6.1, 6.1, False),
        (1.0, 4.9, 4.9, True),
        (1.0, 5.1, 5.1, False),
        (30.0, 90.0, 90.0, True),
        (30.0, 91.0, 91.0, False),
        (2.0, 6.1, np.nan, False),
        (2.0, 2.0, np.nan, True),
        (2.0, np.nan, np.nan, False),
    ],
)
def test_what_was_known_three_intervals_ago_is_not_a_status(
    interval_s: float, requests_s: float, resources_s: float, known: bool
) -> None:
    for values, status in (({}, Status.HEALTHY), (FAILING, Status.DEGRADED)):
        shown = replace(frame(changes={"store": values}), interval_s=interval_s)
        assert of_store(aged(shown, requests_s, resources_s)) is (
            status if known else Status.UNKNOWN
        )
        others = statuses(aged(shown, requests_s, resources_s), np.zeros(len(NAMES), np.bool_))
        assert set(others[:OF_STORE]) == {Status.HEALTHY}


def told(stage: EventStage, *found: Status) -> list[str]:
    changes = FrameChanges(START, found, frozenset(), (), (), (), ())
    return [event.text for event in stage.update(changes)]


def test_an_event_says_that_a_service_is_not_observed_any_more_or_again() -> None:
    stage = EventStage(graph())
    known, unknown = Status.HEALTHY, Status.UNKNOWN
    assert told(stage, known, known, unknown, Status.DOWN) == [
        "mail is down, after it was healthy"
    ]  # of the store nothing has been known yet, so nothing has changed
    assert told(stage, known, unknown, Status.DEGRADED, unknown) == [
        "cart is not observed, after it was healthy",
        "store is degraded, after it was not observed",
        "mail is not observed, after it was down",
    ]
    assert told(stage, known, unknown, Status.DEGRADED, unknown) == []
