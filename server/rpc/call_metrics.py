"""Metrics and log of calls."""

from __future__ import annotations

import logging
import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate

import grpc
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from server.rpc.access import Context

SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
READS = ("Get", "List", "Query", "Predict", "Stream", "Check", "Watch")
QUIET_CODES = ("OK", "CANCELLED", "NOT_FOUND")
"""Usual status codes of a read."""

LABELS = tuple(map(floatToGoString, (*SECONDS, math.inf)))
"""Labels of the buckets for Prometheus."""

CallObserver = Callable[[Context, str, float], None]
"""Called at the end of a call, with its status code and its duration in seconds."""

_log = logging.getLogger(__name__)


class CallDurations:
    """Durations of calls: a count for each bucket of `SECONDS`, and their sum."""

    __slots__ = ("calls", "sum_s")

    def __init__(self) -> None:
        self.calls, self.sum_s = [0] * len(LABELS), 0.0


class CallMetrics(Collector):
    """Counts calls by method and status code, measures unary calls, and logs.

    Calls end on the event loop only, so plain numbers are enough: a counter with a lock and a
    histogram would cost a twentieth of the time of a call.

    Calls that change something or are refused are logged at level INFO, reads at DEBUG, if that
    is the level when the server starts; a read of something that does not exist is a read.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._durations: dict[str, CallDurations] = {}
        registry.register(self)

    def method_observer(self, method: str, *, timed: bool) -> CallObserver:
        """Make the observer of a method, by its full name; `timed` for a unary one."""
        calls, durations = self._calls[method], CallDurations()
        if timed:
            self._durations[method] = durations
        calls["OK"] = 0  # so that it is there before the first call
        quiet = QUIET_CODES if method.rpartition("/")[2].startswith(READS) else ()
        unlogged = () if _log.isEnabledFor(logging.DEBUG) else quiet

        def observe(context: Context, code: str, seconds: float) -> None:
            calls[code] += 1
            durations.calls[bisect_left(SECONDS, seconds)] += 1
            durations.sum_s += seconds
            if code in unlogged:
                return
            fields = {"method": method, "code": code, "seconds": seconds, "peer": context.peer()}
            level = logging.DEBUG if code in quiet else logging.INFO
            _log.log(level, "call", extra={"fields": fields})

        return observe

    def count_refused(self, method: str) -> None:
        """Count a call that was refused because it had no token."""
        self._calls[method][grpc.StatusCode.UNAUTHENTICATED.name] += 1

    def collect(self) -> Iterator[Metric]:
        """Collect the metrics for Prometheus."""
        calls = CounterMetricFamily(
            "sre_edge_grpc_calls",
            "Finished calls by method and status code.",
            labels=["method", "code"],
        )
        for method, codes in list(self._calls.items()):
            for code, count in list(codes.items()):
                calls.add_metric([method, code], count)
        yield calls
        seconds = HistogramMetricFamily(
            "sre_edge_grpc_call_seconds", "Duration of unary calls.", labels=["method"]
        )
        for method, durations in list(self._durations.items()):
            buckets = zip(LABELS, accumulate(durations.calls), strict=True)
            seconds.add_metric([method], list(buckets), durations.sum_s)
        yield seconds
