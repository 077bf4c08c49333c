"""Protects the dashboard from other web pages, and keeps it from contacting other hosts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 4 << 20
"""More than any scenario that a server takes, as JSON inside of JSON."""


def headers(script_hashes: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Headers of every answer.

    Parameters
    ----------
    script_hashes
        Hashes of the inline scripts of the page, in the form of a content security policy.
    """
    # Plotly and Cytoscape set styles from scripts; nothing is loaded from another host.
    policy = "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {' '.join(script_hashes)}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]


class SameOrigin:
    """ASGI middleware that refuses names and origins not of this dashboard, and large bodies.

    A name check stops DNS rebinding; an origin check stops requests from other pages. A body has to
    say its length, as those of browsers do.
    """

    def __init__(
        self, app: App, allowed_hosts: frozenset[str], answers: list[tuple[bytes, bytes]]
    ) -> None:
        self._app = app
        self._allowed = allowed_hosts
        self._headers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        host, origin = given.get(b"host", ""), given.get(b"origin")
        if not self._known(host):
            await self._refuse(
                scope, send, f"This dashboard does not answer to the host name {host!r}."
            )
        elif origin is not None and urlsplit(origin).netloc != host:
            await self._refuse(scope, send, "Requests from other pages are refused.")
        elif b"transfer-encoding" in given or _length(given) > MAX_BODY_BYTES:
            text = f"Requests must state their length, at most {MAX_BODY_BYTES} bytes."
            await self._refuse(scope, send, text, status=413)
        else:
            await self._app(scope, receive, self._with_headers(send))

    def _known(self, host: str) -> bool:
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        return name in self._allowed

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        return sending

    async def _refuse(self, scope: Scope, send: Send, text: str, status: int = 403) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        start = [(b"content-type", b"text/plain; charset=utf-8"), *self._headers]
        await send({"type": "http.response.start", "status": status, "headers": start})
        await send({"type": "http.response.body", "body": text.encode()})


def _length(headers: MutableMapping[bytes, str]) -> int:
    stated = headers.get(b"content-length", "0")
    return int(stated) if stated.isdecimal() else MAX_BODY_BYTES + 1
