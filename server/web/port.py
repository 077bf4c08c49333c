"""The HTTP port: uvicorn in a thread of its own, with limits that begin before a handshake.

A thread of its own, and an event loop of its own in it: while the loop of gRPC is stuck, `/healthz`
still answers, and says so; and what comes over HTTP, handshakes and hostile requests included,
cannot delay that loop by more than its share of the interpreter.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry

from server.credentials import Certificates, Token, WatchedFiles
from server.settings import Settings, SettingsError, host_and_port
from server.web.application import Serving, application

MAX_CONNECTIONS = 100
MAX_CONNECTION_S = 30.0
"""Time for all that a connection does: handshake, request, and reading the answer."""


class HttpPort:
    """The HTTP server; runs until it is closed.

    Parameters
    ----------
    settings
        Address to listen on, among others.
    registry, serving, token
        As in `application`; `serving` is awaited in the event loop of this server.
    certificates
        With them: TLS, with the certificate that is in the files when a client connects.

    Attributes
    ----------
    address
        Address that it listens on, with the actual port.
    """

    def __init__(
        self,
        settings: Settings,
        registry: CollectorRegistry,
        serving: Serving,
        certificates: WatchedFiles[Certificates] | None,
        token: Token | None,
    ) -> None:
        """Start the server.

        Raises
        ------
        SettingsError
            If the port is not available.
        """
        host, port = host_and_port(settings.metrics_listen, "SRE_EDGE_METRICS_LISTEN")
        listening = _listen(host, port)
        self.address = f"{host}:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            application(registry, serving, token),
            # Stated explicitly, so that other installed packages change nothing.
            loop="asyncio", http="h11", ws="none", interface="asgi3", lifespan="off",
            ssl_context_factory=None if certificates is None else lambda *_: _latest(certificates),
            headers=[("Connection", "close")], server_header=False, proxy_headers=False,
            # Frequent probes and malformed requests are not worth a log line.
            log_config=None, log_level=logging.ERROR, access_log=False,
        )  # fmt: skip
        self._listening, self._server = listening, uvicorn.Server(config)
        # Outside the main thread, uvicorn leaves signals alone.
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="http", daemon=True
        )
        self._thread.start()

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return self._listening.connections

    def close(self) -> None:
        """Stop; waits for a scrape in progress, but for no client."""
        self._server.should_exit = True
        self._thread.join()


class _Listening(socket.socket):
    """A listening socket that knows the connections that it accepted.

    asyncio accepts whoever comes, and uvicorn sees a connection only after its handshake: one
    that says nothing would count nowhere. Here each has its time, and of too many the oldest
    gives way, which is the one that most likely stalls.
    """

    def __init__(self, family: socket.AddressFamily) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._accepted: dict[socket.socket, asyncio.TimerHandle] = {}  # the oldest first

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return sum(connection.fileno() != -1 for connection in list(self._accepted))

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and end the oldest if there are too many."""
        connection, peer = super().accept()
        for closed in [accepted for accepted in self._accepted if accepted.fileno() == -1]:
            self._accepted.pop(closed).cancel()
        loop = asyncio.get_running_loop()
        self._accepted[connection] = loop.call_later(MAX_CONNECTION_S, self._end, connection)
        if len(self._accepted) > MAX_CONNECTIONS:
            self._end(next(iter(self._accepted)))
        return connection, peer

    def close(self) -> None:
        """Close the socket with all its connections, so that a stop waits for no client."""
        for connection in list(self._accepted):
            self._end(connection)
        super().close()

    def _end(self, connection: socket.socket) -> None:
        self._accepted.pop(connection).cancel()
        with contextlib.suppress(OSError):  # closed already
            connection.shutdown(socket.SHUT_RDWR)  # asyncio sees the end, and closes it


def _listen(host: str, port: int) -> _Listening:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as unless_it_listens:
            listening = unless_it_listens.enter_context(_Listening(family))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen()
            unless_it_listens.pop_all()
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port} ({error.strerror}); set another address with "
            "--metrics-listen or SRE_EDGE_METRICS_LISTEN"
        ) from error
    return listening


def _latest(certificates: WatchedFiles[Certificates]) -> ssl.SSLContext:
    """Make a context that gives each handshake the latest certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def choose(connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = certificates.get().context

    context.sni_callback = choose  # called without a server name, too
    return context
