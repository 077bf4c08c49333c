"""Counts, times and logs every call."""

from __future__ import annotations

import logging
from collections.abc import Callable

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram

from server.rpc.access import Context

SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
READS = ("Get", "List", "Query", "Predict", "Stream", "Check", "Watch")
QUIET_CODES = ("OK", "CANCELLED", "NOT_FOUND")
"""How a read usually ends."""

Ended = Callable[[Context, str, float], None]
"""Is told of a call that ended: its status code, and how many seconds it took."""

_log = logging.getLogger(__name__)


class Observed:
    """Counts calls by method and status code, times those with one answer, and logs.

    The log has what changes something and what is refused at level INFO; reads at DEBUG, those of
    what is not there included.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "sre_edge_grpc_calls_total",
            "Calls that ended, by method and status code.",
            ["method", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "sre_edge_grpc_call_seconds",
            "Time of calls with one answer.",
            ["method"],
            buckets=SECONDS,
            registry=registry,
        )

    def of(self, method: str, *, timed: bool) -> Ended:
        """Observe a method; `method` is its full name, `timed` that it has one answer."""
        good, seconds = self._calls.labels(method, "OK"), self._seconds.labels(method)
        quiet = method.rpartition("/")[2].startswith(READS)

        def ended(context: Context, code: str, spent_s: float) -> None:
            (good if code == "OK" else self._calls.labels(method, code)).inc()
            if timed:
                seconds.observe(spent_s)
            level = logging.DEBUG if quiet and code in QUIET_CODES else logging.INFO
            if _log.isEnabledFor(level):
                facts = {"method": method, "code": code, "seconds": spent_s}
                facts["peer"] = context.peer()
                _log.log(level, "call", extra={"fields": facts})

        return ended

    def refused(self, method: str) -> None:
        """Count a call that came without the token."""
        self._calls.labels(method, grpc.StatusCode.UNAUTHENTICATED.name).inc()
