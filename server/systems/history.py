"""History queries: series of metrics, downsampled to buckets of snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from server.errors import Violation, invalid, not_in_history
from server.pipeline.snapshot import Run, Snapshot
from telemetry.graph import FloatArray, ServiceGraph
from telemetry.graph_change import GraphChange
from telemetry.metrics import HISTORY_METRICS, Kind, Metric

MAX_POINTS, DEFAULT_POINTS = 2000, 300
MAX_VALUES = 200_000


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """Metrics over time, by bucket; arrays of shape (N, M, S), NaN where nothing was observed.

    Attributes
    ----------
    run, graph
        Run of the series, and the present graph.
    services, metrics
        Indices of the S services; names of the M metrics.
    start_time
        Start of the first bucket, simulated clock; None if there are no buckets.
    bucket_s
        Length of a bucket, simulated seconds.
    minimum, maximum, mean, last
        Statistics of the values observed in each bucket.
    """

    run: Run
    graph: ServiceGraph
    services: tuple[int, ...]
    metrics: tuple[str, ...]
    start_time: datetime | None
    bucket_s: float
    minimum: FloatArray
    maximum: FloatArray
    mean: FloatArray
    last: FloatArray


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A query of the history.

    Attributes
    ----------
    services
        Names of services; none means all.
    metrics
        Names of `telemetry.metrics.HISTORY_METRICS`.
    start_time, end_time
        Range, simulated clock, without its end; None: as far as the history reaches.
    max_points
        Maximum number of buckets; 0: the default.
    """

    services: tuple[str, ...]
    metrics: tuple[str, ...]
    start_time: datetime | None
    end_time: datetime | None
    max_points: int = 0


def at(history: Sequence[Snapshot], time: datetime) -> Snapshot:
    """Find the snapshot whose interval contains a time.

    Raises
    ------
    ServerError
        NOT_IN_HISTORY.
    """
    for snapshot in reversed(history):
        if snapshot.time <= time < snapshot.end_time:
            return snapshot
    raise not_in_history(history[0].time, history[-1].time)


def series(history: Sequence[Snapshot], query: HistoryQuery) -> Series:
    """Query the snapshots of one run, oldest first.

    The services are those of the latest snapshot; NaN stands for times before they existed.

    Raises
    ------
    ServerError
        INVALID_FIELD or UNKNOWN_SERVICE.
    """
    latest = history[-1]
    graph, indices = latest.graph, latest.indices(query.services)
    services = tuple(range(graph.services)) if indices is None else indices
    metrics = tuple(dict.fromkeys(query.metrics))
    start, end = query.start_time, query.end_time
    snapshots = [
        snapshot
        for snapshot in history
        if (start is None or snapshot.end_time > start) and (end is None or snapshot.time < end)
    ]
    points = query.max_points or DEFAULT_POINTS
    _check(query, metrics, len(services), min(points, len(snapshots)))
    per_bucket = max(1, -(-len(snapshots) // points))
    reduced, where = [], list(services)
    changes: dict[int, GraphChange | None] = {id(graph): None}
    for snapshot in snapshots:
        changes.setdefault(id(snapshot.graph), GraphChange(snapshot.graph, graph))
    for metric in metrics:  # one at a time: all metrics of a large system take 100 MB
        values = np.array(
            [
                _values(snapshot, HISTORY_METRICS[metric], changes[id(snapshot.graph)])[where]
                for snapshot in snapshots
            ]
        )
        reduced.append(_reduced(values.reshape(len(snapshots), len(services)), per_bucket))
    minimum, maximum, mean, last = (np.stack(parts, axis=1) for parts in zip(*reduced, strict=True))
    return Series(
        run=latest.run,
        graph=graph,
        services=services,
        metrics=metrics,
        start_time=snapshots[0].time if snapshots else None,
        bucket_s=per_bucket * latest.frame.interval_s,
        minimum=minimum,
        maximum=maximum,
        mean=mean,
        last=last,
    )


def _check(query: HistoryQuery, metrics: tuple[str, ...], services: int, points: int) -> None:
    wrong = []
    unknown = [name for name in metrics if name not in HISTORY_METRICS]
    if unknown or not metrics:
        got = f", got {unknown[0]!r}" if unknown else ""
        wrong.append(Violation("metrics", f"expected some of {', '.join(HISTORY_METRICS)}{got}"))
    if not 0 <= query.max_points <= MAX_POINTS:
        wrong.append(Violation("max_points", f"expected at most {MAX_POINTS}"))
    if query.start_time and query.end_time and query.start_time >= query.end_time:
        wrong.append(Violation("end_time", "expected a time after start_time"))
    values = services * len(metrics) * points
    if not wrong and values > MAX_VALUES:
        expected = (
            f"expected at most {MAX_VALUES:,} values, got {services:,} services x "
            f"{len(metrics)} metrics x {points} points"
        )
        wrong.append(Violation("max_points", expected))
    if wrong:
        raise invalid(wrong)


def _values(snapshot: Snapshot, metric: Metric, change: GraphChange | None) -> FloatArray:
    """Values of one metric, (S,), for the services of the present graph."""
    values: FloatArray
    if metric.kind is not Kind.PREDICTION:
        values = getattr(snapshot.frame, metric.field)[0]
    elif snapshot.forecast is None:
        values = np.full(snapshot.graph.services, np.nan)
    else:
        values = snapshot.forecast.probability
    return values if change is None else change.of_services(values, np.nan)


def _reduced(values: FloatArray, per_bucket: int) -> tuple[FloatArray, ...]:
    """Reduce values, (T, ...), to minimum, maximum, mean and last per bucket, (N, ...)."""
    missing = -len(values) % per_bucket
    padding = np.full((missing, *values.shape[1:]), np.nan)
    shape = (-1, per_bucket, *values.shape[1:])
    buckets = np.concatenate([values, padding]).reshape(shape)
    observed = np.isfinite(buckets)
    count = observed.sum(axis=1)
    total = np.where(observed, buckets, 0.0).sum(axis=1)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    # The last observed value is the first one from the end.
    position = per_bucket - 1 - observed[:, ::-1].argmax(axis=1)
    last = np.take_along_axis(buckets, position[:, np.newaxis], axis=1)[:, 0]
    smallest, largest = np.fmin.reduce(buckets, axis=1), np.fmax.reduce(buckets, axis=1)
    return smallest, largest, mean, last
