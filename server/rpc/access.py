"""Access control: the token, and limits of concurrent calls and streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc_health.v1 import health

from server.credentials import Token
from server.errors import too_many_calls, too_many_streams, unauthenticated
from server.rpc.errors import abort

PUBLIC_METHODS = f"/{health.SERVICE_NAME}/"
"""Health checks need no token: probes have none."""

Context = grpc.aio.ServicerContext[Any, Any]


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls without the token; health checks need none, reflection does."""

    def __init__(self, token: Token, on_refused: Callable[[str], None]) -> None:
        """Take the token, and a function to call with the method of each refused call."""
        self._token, self._on_refused = token, on_refused

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Pass a call on, or refuse it."""
        if handler_call_details.method.startswith(PUBLIC_METHODS) or self._has_token(
            handler_call_details
        ):
            return await continuation(handler_call_details)
        exists = await continuation(handler_call_details) is not None
        self._on_refused(handler_call_details.method if exists else "unknown")
        return grpc.stream_stream_rpc_method_handler(_refuse)  # fits calls of all four kinds

    def _has_token(self, details: grpc.HandlerCallDetails) -> bool:
        return any(
            key == "authorization" and isinstance(value, str) and self._token.matches(value)
            for key, value in details.invocation_metadata
        )


async def _refuse(_: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await abort(context, unauthenticated())


class CallLimits:
    """Counts calls and streams in progress, and refuses those beyond the limits.

    Parameters
    ----------
    calls
        Maximum number of unary calls in progress.
    streams
        Maximum number of open streams of one connection.
    """

    def __init__(self, calls: int, streams: int) -> None:
        self._max_calls, self._max_streams = calls, streams
        self._calls = 0
        self._streams: Counter[str] = Counter()

    def begin_call(self, _: Context) -> None:
        """Begin a unary call.

        Raises
        ------
        ServerError
            TOO_MANY_CALLS.
        """
        if self._calls >= self._max_calls:
            raise too_many_calls(self._max_calls)
        self._calls += 1

    def end_call(self, _: Context) -> None:
        """End a unary call."""
        self._calls -= 1

    def begin_stream(self, context: Context) -> None:
        """Begin a stream.

        Raises
        ------
        ServerError
            TOO_MANY_STREAMS.
        """
        connection = context.peer()
        if self._streams[connection] >= self._max_streams:
            raise too_many_streams(self._max_streams)
        self._streams[connection] += 1

    def end_stream(self, context: Context) -> None:
        """End a stream."""
        connection = context.peer()
        self._streams[connection] -= 1
        if not self._streams[connection]:
            del self._streams[connection]
