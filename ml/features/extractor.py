"""Frames in, one row of features per service out; the same code trains and serves."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from ml.definitions.breach import breached
from ml.definitions.incidents import BoolArray
from ml.features.calls import Calls
from ml.features.columns import Columns
from ml.features.history_features import HistoryFeatures
from ml.features.neighbour_features import NeighbourFeatures
from ml.features.neighbours import Neighbours
from ml.features.static import static_columns
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph
from telemetry.metrics import FRAME_METRICS, Kind

WARM_UP_FRAMES = 30
"""Frames before the features mean anything: the longest window, and a first baseline."""


class FeatureExtractor:
    """Features of B copies of a system, frame by frame.

    Parameters
    ----------
    graph
        The system.
    copies
        B.
    interval_s
        Length of a frame in seconds.

    Raises
    ------
    ValueError
        If the system has no services.
    """

    def __init__(self, graph: ServiceGraph, copies: int = 1, interval_s: float = 2.0) -> None:
        if not graph.services:
            raise ValueError("expected a system of at least one service, got none")
        self._shape = shape = (copies, graph.services)
        self._graph = graph
        neighbours = Neighbours(graph)
        self._calls = Calls(graph, neighbours, copies)
        self._history = HistoryFeatures(graph, shape, interval_s)
        self._neighbour_features = NeighbourFeatures(graph, neighbours)
        self._columns = Columns(shape)
        for name, values in static_columns(graph, shape).items():
            self._columns[name] = values
        self._frames = 0

    @property
    def ready(self) -> bool:
        """Whether there were enough frames for the features to mean anything."""
        return self._frames >= WARM_UP_FRAMES

    def update(
        self,
        frame: Frame,
        clock: list[datetime] | None = None,
        bad: BoolArray | None = None,
    ) -> FloatArray:
        """Take one frame.

        Parameters
        ----------
        frame
            The next one.
        clock
            Simulated time at which it starts, one per copy; None: not known.
        bad
            (B, S) what is breached, of `ml.definitions.breach`, if that is known already.

        Returns
        -------
        (B, S, F) features in the order of `ml.features.table.FEATURES`; NaN where not known.

        Raises
        ------
        ValueError
            If the frame is of another system, which needs a new extractor, or a value is infinite.
            It is as if there had been no such frame.
        """
        self._check(frame)
        columns = self._columns
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            self._own(frame, columns)
            self._calls.update(frame, columns)
            known = breached(frame, self._graph) if bad is None else bad
            self._history.update(frame, known, columns)
            self._neighbour_features.update(frame, columns)
            self._clock(clock, columns)
        self._frames += 1
        return columns.rows()

    def _check(self, frame: Frame) -> None:
        edges = (self._shape[0], self._graph.edges)
        for metric in FRAME_METRICS:
            shape = edges if metric.kind is Kind.EDGES else self._shape
            values: FloatArray = getattr(frame, metric.field)
            if values.shape != shape:
                raise ValueError(f"expected {metric.field} of shape {shape}, got {values.shape}")
            if np.isinf(values).any():
                raise ValueError(f"expected {metric.field} to be finite or NaN")

    def _own(self, frame: Frame, c: Columns) -> None:
        graph = self._graph
        c["cpu_percent"] = frame.cpu_percent
        c["memory_percent"] = frame.memory_percent
        c["error_rate_percent"] = frame.error_rate_percent
        c["availability_percent"] = frame.availability_percent
        c["latency_ms"] = frame.latency_ms
        c["throughput_rps"] = frame.throughput_rps
        c["failed_count_log"] = np.log1p(frame.failed_count)
        c["p95_over_slo"] = frame.latency_p95_ms / graph.slo_latency_ms
        c["latency_tail"] = frame.latency_p99_ms / frame.latency_p50_ms
        c["errors_over_slo"] = np.minimum(
            frame.error_rate_percent / graph.slo_error_rate_percent, 100.0
        )
        ready = graph.replicas * frame.availability_percent / 100.0
        left = np.where(ready > 1.0, (ready - 1.0) / ready, 0.0)
        after = np.minimum(frame.cpu_percent / np.maximum(left, 1e-3), 300.0)
        c["cpu_after_loss"] = np.where(np.isnan(ready), np.nan, after)
        c["cpu_headroom"] = 100.0 - frame.cpu_percent

    def _clock(self, clock: list[datetime] | None, c: Columns) -> None:
        hour, peak, weekend = (np.full((self._shape[0], 1), np.nan) for _ in range(3))
        for copy, now in enumerate(clock or []):
            hour[copy] = now.hour + now.minute / 60.0
            peak[copy] = 9 <= now.hour < 18
            weekend[copy] = now.weekday() >= 5
        c["hour_of_day"], c["is_peak_hour"], c["is_weekend"] = hour, peak, weekend
