"""Counts and times every call, for `/metrics`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Observed(grpc.aio.ServerInterceptor):
    """Counts calls by method and status code, and times those with one answer."""

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

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of a call."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        method = handler_call_details.method
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._wrapped(method, handler.unary_stream, timed=False),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            self._wrapped(method, handler.unary_unary, timed=True),
            handler.request_deserializer,
            handler.response_serializer,
        )

    def _wrapped(self, method: str, behaviour: Any, *, timed: bool) -> Any:
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
                self._calls.labels(method, code).inc()
                if timed:
                    self._seconds.labels(method).observe(time.perf_counter() - began)

        return call


def _code(context: Any) -> str:
    code = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((known.name for known in grpc.StatusCode if known.value[0] == code), "UNKNOWN")
