"""The metrics: what is known of each value of a frame, written once.

Whoever shows, stores, sends or checks values of frames goes by `METRICS`, or a test holds it
against it. `CONTRIBUTING.md` has the steps for a further one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric is of: values of one kind are observed together and are equally old."""

    RESOURCES = "resources"
    """Of the replicas of a service."""
    REQUESTS = "requests"
    """Of the requests to a service, as its callers see them."""
    EDGES = "edges"
    """Of the calls along an edge, as its caller sees them."""
    PREDICTION = "prediction"
    """What the model expects of a service; no value of a frame."""


class Over(StrEnum):
    """How the values of several intervals become that of all of them together."""

    MEAN = "mean"
    """Mean, by the length of the intervals or weighted with another metric."""
    SUM = "sum"
    RATIO = "ratio"
    """Sum of one metric over that of another, in percent."""
    LAST = "last"


@dataclass(frozen=True, slots=True)
class OverTime:
    """How a metric is summed over time.

    Attributes
    ----------
    how
        The rule.
    part, whole
        Names of metrics of the same kind. Of a mean, `whole` is its weight, "" being time; of a
        ratio, it is `part` over `whole`.
    """

    how: Over
    part: str = ""
    whole: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes
    ----------
    name
        As in the API.
    kind
        What it is of.
    unit
        "%", "ms", "req/s", or "" for a number.
    title
        A word or two for charts and columns.
    sentence
        What it is, for people.
    over_time
        How it is summed over time.
    min, max
        Limits of its values; None: none.
    higher_is_worse
        None: neither high nor low values are bad by themselves.
    overview
        It is among the few figures that overviews show of each service.
    chart
        It has a chart of its own where one service is shown.
    """

    name: str
    kind: Kind
    unit: str
    title: str
    sentence: str
    over_time: OverTime
    min: float | None = 0.0
    max: float | None = None
    higher_is_worse: bool | None = None
    overview: bool = False
    chart: bool = False

    @property
    def field(self) -> str:
        """Name of the attribute of `Frame` that holds it."""
        return f"edge_{self.name}" if self.kind is Kind.EDGES else self.name


_BY_TIME = OverTime(Over.MEAN)
_BY_REQUEST = OverTime(Over.MEAN, whole="request_count")
_BY_CALL = OverTime(Over.MEAN, whole="call_rate_rps")
_SUM = OverTime(Over.SUM)

METRICS: tuple[Metric, ...] = (
    Metric(
        "cpu_percent", Kind.RESOURCES, "%", "CPU", "CPU, percent of the limit.", _BY_TIME,
        max=100.0, higher_is_worse=True, overview=True, chart=True,
    ),
    Metric(
        "memory_percent", Kind.RESOURCES, "%", "Memory", "Memory, percent of the limit.",
        _BY_TIME, max=100.0, higher_is_worse=True, overview=True, chart=True,
    ),
    Metric(
        "latency_ms", Kind.REQUESTS, "ms", "Latency", "Mean latency in milliseconds.",
        _BY_REQUEST, higher_is_worse=True, overview=True,
    ),
    Metric(
        "latency_p50_ms", Kind.REQUESTS, "ms", "Latency p50",
        "Median of the latency in milliseconds.", _BY_REQUEST, higher_is_worse=True,
    ),
    Metric(
        "latency_p95_ms", Kind.REQUESTS, "ms", "Latency p95",
        "95th percentile of the latency in milliseconds.", _BY_REQUEST,
        higher_is_worse=True, chart=True,
    ),
    Metric(
        "latency_p99_ms", Kind.REQUESTS, "ms", "Latency p99",
        "99th percentile of the latency in milliseconds.", _BY_REQUEST, higher_is_worse=True,
    ),
    Metric(
        "error_rate_percent", Kind.REQUESTS, "%", "Errors", "Failed requests in percent.",
        OverTime(Over.RATIO, "failed_count", "request_count"),
        max=100.0, higher_is_worse=True, overview=True, chart=True,
    ),
    Metric(
        "throughput_rps", Kind.REQUESTS, "req/s", "Throughput",
        "Requests answered successfully per second.", _BY_TIME,
        higher_is_worse=False, overview=True, chart=True,
    ),
    Metric(
        "availability_percent", Kind.RESOURCES, "%", "Availability",
        "Ready replicas in percent of the configured ones.", _BY_TIME,
        max=100.0, higher_is_worse=False, overview=True, chart=True,
    ),
    Metric(
        "request_count", Kind.REQUESTS, "", "Requests",
        "Requests in the interval, attempts and retries included.", _SUM,
    ),
    Metric(
        "failed_count", Kind.REQUESTS, "", "Failed requests",
        "Failed requests in the interval.", _SUM, higher_is_worse=True,
    ),
    Metric(
        "incident_probability", Kind.PREDICTION, "", "Incident probability",
        "Probability of an incident within the horizon.", OverTime(Over.LAST),
        max=1.0, higher_is_worse=True, chart=True,
    ),
    Metric(
        "call_rate_rps", Kind.EDGES, "req/s", "Calls",
        "Calls per second along an edge, retries included.", _BY_TIME,
    ),
    Metric(
        "error_rate_percent", Kind.EDGES, "%", "Errors", "Failed calls in percent.", _BY_CALL,
        max=100.0, higher_is_worse=True,
    ),
    Metric(
        "latency_ms", Kind.EDGES, "ms", "Latency",
        "Mean latency of the calls in milliseconds.", _BY_CALL, higher_is_worse=True,
    ),
)  # fmt: skip

FRAME_METRICS = tuple(metric for metric in METRICS if metric.kind is not Kind.PREDICTION)
"""Those that are values of a frame."""
SERVICE_METRICS = tuple(metric for metric in FRAME_METRICS if metric.kind is not Kind.EDGES)
"""Those that a frame has of each service."""
EDGE_METRICS = tuple(metric for metric in FRAME_METRICS if metric.kind is Kind.EDGES)
"""Those that a frame has of each edge."""
HISTORY_METRICS: Mapping[str, Metric] = {
    metric.name: metric for metric in METRICS if metric.kind is not Kind.EDGES
}
"""Those of a service, what the model expects included, by name."""
