"""The HTTP application: `/metrics` and `/healthz`."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, gzip_accepted
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server.credentials import Token
from server.web import HEALTH, METRICS

Serving = Callable[[], Awaitable[bool]]
"""Whether the gRPC server serves."""


def application(registry: CollectorRegistry, serving: Serving, token: Token | None) -> Starlette:
    """Make the application.

    Parameters
    ----------
    registry
        Metrics of `/metrics`.
    serving
        Answers `/healthz`, which needs no token.
    token
        Token that `/metrics` requires; None: no token.
    """
    turn = asyncio.Lock()

    async def health(_: Request) -> Response:
        if await serving():
            return PlainTextResponse("OK\n")
        return PlainTextResponse("Service Unavailable\n", 503)

    async def metrics(request: Request) -> Response:
        if token is not None and not token.matches(request.headers.get("authorization", "")):
            return PlainTextResponse("Unauthorized\n", 401, {"WWW-Authenticate": "Bearer"})
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        names = request.query_params.getlist("name[]")
        shown = registry.restricted_registry(names) if names else registry
        headers = {"Content-Type": content_type, "Vary": "Accept-Encoding"}
        if packed := gzip_accepted(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"

        def body() -> bytes:
            text = encode(shown)
            return gzip.compress(text) if packed else text

        # In a thread, so that /healthz stays quick; one at a time, so that the threads of many
        # scrapes do not take the interpreter from gRPC.
        async with turn:
            if await request.is_disconnected():
                return Response()
            content = await asyncio.to_thread(body)
        return Response(content, headers=headers)

    return Starlette(routes=[Route(HEALTH, health), Route(METRICS, metrics)])
