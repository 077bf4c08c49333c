"""HTTP beside gRPC: `/metrics` for Prometheus, `/healthz` for probes."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from server.credentials import Certificates, Token, Watched
from server.settings import Settings, SettingsError, host_and_port

TIMEOUT_S = 10.0
MOST_CONNECTIONS = 100
HEALTH = "/healthz"

Start = Callable[..., Any]


class _Handler(WSGIRequestHandler):
    timeout = TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
        """Say nothing: a probe every few seconds is no event."""


class _Server(ThreadingMixIn, WSGIServer):
    """A thread per connection, of so many; a handshake that stalls holds up nobody else."""

    daemon_threads = True
    request_queue_size = 64
    context: ssl.SSLContext | None = None
    certificates: Watched[Certificates] | None = None
    settings: Settings
    _in_use: Certificates | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lock = threading.Lock()
        self._open: dict[Any, socket.socket] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread; where there are too many, the oldest one is closed."""
        with self._lock:
            self._open[request] = request
            oldest = next(iter(self._open.values())) if len(self._open) > MOST_CONNECTIONS else None
        if oldest is not None:
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)  # its thread sees the end
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads
            self._forget(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._forget(request)

    def _forget(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the handshake, if there is one, and answer."""
        request.settimeout(TIMEOUT_S)
        context = self._context()
        if context is None:
            super().finish_request(request, client_address)
            return
        with context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as coded:
            with self._lock:
                self._open[request] = coded  # the other socket is an empty shell now
            try:
                coded.do_handshake()
            except OSError:
                return  # no TLS from the other side, or it went away
            super().finish_request(coded, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Forget a client that went away."""

    def _context(self) -> ssl.SSLContext | None:
        if self.certificates is None:
            return None
        now = self.certificates.get()
        if self.context is None or now is not self._in_use:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(str(self.settings.tls_cert), str(self.settings.tls_key))
            self.context, self._in_use = context, now
        return self.context


class Http:
    """The HTTP server; runs in threads of its own until it is closed.

    Parameters
    ----------
    settings
        Where it listens.
    registry
        What `/metrics` shows.
    serving
        Whether the gRPC server serves; asked by `/healthz`.
    certificates, token
        With them: TLS, and a token for `/metrics`. `/healthz` is open.

    Attributes
    ----------
    address
        Where it listens, with the port that it got.
    """

    def __init__(
        self,
        settings: Settings,
        registry: CollectorRegistry,
        serving: Callable[[], bool],
        certificates: Watched[Certificates] | None,
        token: Token | None,
    ) -> None:
        """Start it.

        Raises
        ------
        SettingsError
            If the port cannot be had.
        """
        host, port = host_and_port(settings.metrics_listen, "SRE_EDGE_METRICS_LISTEN")
        try:
            kind = type("_Of", (_Server,), {"address_family": _family(host, port)})
            self._server = kind((host, port), _Handler)
        except OSError as error:
            raise SettingsError(
                f"{host}:{port} cannot be listened on ({error.strerror}); set another address with "
                "--metrics-listen or SRE_EDGE_METRICS_LISTEN"
            ) from error
        self._server.settings, self._server.certificates = settings, certificates
        self._server.set_app(_application(registry, serving, token))
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; waits for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _application(
    registry: CollectorRegistry, serving: Callable[[], bool], token: Token | None
) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    metrics = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == HEALTH:
            return _text(start, "200 OK" if serving() else "503 Service Unavailable")
        if path != "/metrics":
            return _text(start, "404 Not Found")
        if token is not None and not token.matches(environ.get("HTTP_AUTHORIZATION", "")):
            return _text(start, "401 Unauthorized", ("WWW-Authenticate", "Bearer"))
        answer: Iterable[bytes] = metrics(environ, start)
        return answer

    return application


def _text(start: Start, status: str, *headers: tuple[str, str]) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8"), *headers])
    return [f"{status[4:]}\n".encode()]


def _family(host: str, port: int) -> socket.AddressFamily:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
