"""Counts, times and logs every call."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram

SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
READS = ("Get", "List", "Query", "Predict", "Stream", "Check", "Watch", "ServerReflection")

_log = logging.getLogger(__name__)


class Observed(grpc.aio.ServerInterceptor):
    """Counts calls by method and status code, times those with one answer, and logs.

    The log has what changes something and what is refused at level INFO, all else at DEBUG.
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
        self._wrapped: dict[Any, Any] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of a call; each once."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        key = (handler_call_details.method, handler)
        wrapped = self._wrapped.get(key)
        if wrapped is None:
            wrapped = self._handler(handler_call_details.method, handler)
            self._wrapped[key] = wrapped
        return wrapped

    def _handler(self, method: str, handler: Any) -> Any:
        codecs = (handler.request_deserializer, handler.response_serializer)
        if handler.request_streaming:
            behaviour = handler.stream_stream or handler.stream_unary
            if not inspect.iscoroutinefunction(behaviour):
                return handler  # reflection, a generator
            call = self._observed(method, behaviour, timed=False)
            return grpc.stream_stream_rpc_method_handler(call, *codecs)
        if handler.response_streaming:
            call = self._observed(method, handler.unary_stream, timed=False)
            return grpc.unary_stream_rpc_method_handler(call, *codecs)
        call = self._observed(method, handler.unary_unary, timed=True)
        return grpc.unary_unary_rpc_method_handler(call, *codecs)

    def _observed(self, method: str, behaviour: Any, *, timed: bool) -> Any:
        good, seconds = self._calls.labels(method, "OK"), self._seconds.labels(method)
        quiet = method.rpartition("/")[2].startswith(READS)

        async def call(request: Any, context: Any) -> Any:
            began = time.perf_counter()
            code = "CANCELLED"
            try:
                result = await behaviour(request, context)
                code = "OK"
                return result
            except grpc.aio.AbortError:
                code = _code(context)
                raise
            finally:
                spent_s = time.perf_counter() - began
                (good if code == "OK" else self._calls.labels(method, code)).inc()
                if timed:
                    seconds.observe(spent_s)
                level = logging.DEBUG if quiet and code in ("OK", "CANCELLED") else logging.INFO
                if _log.isEnabledFor(level):
                    facts = {"method": method, "code": code, "seconds": spent_s}
                    facts["peer"] = context.peer()
                    _log.log(level, "call", extra={"fields": facts})

        return call


def _code(context: Any) -> str:
    code = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((known.name for known in grpc.StatusCode if known.value[0] == code), "UNKNOWN")
