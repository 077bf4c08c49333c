"""How a client reaches a server: plain on loopback, else with TLS and a token."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from sre_edge.errors import SreEdgeError

TARGET = "127.0.0.1:50051"
SYSTEM = "system"

_OPTIONS = (
    # A reader that pauses must not collect megabytes of snapshots that are stale by then.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 65_536),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_receive_message_length", 64 << 20),
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a server is, and what it takes to be let in.

    Attributes
    ----------
    target
        host:port.
    ca
        PEM file of who signed the server's certificate, or "system" for the authorities that this
        machine trusts; None: plain traffic.
    token_file
        File with the server's token, read again for each call; None: no token.
    certificate, key
        PEM files of the client's own certificate and key, for mutual TLS.
    """

    target: str = TARGET
    ca: str | None = None
    token_file: str | None = None
    certificate: str | None = None
    key: str | None = None

    def channel(self) -> grpc.Channel:
        """Open a channel; the connection itself comes with the first call.

        Raises
        ------
        SreEdgeError
            If a file cannot be read, or the token would travel in plain text.
        """
        if self.ca is None:
            if self.certificate or self.key:
                raise SreEdgeError("a client certificate needs TLS: expected a CA as well")
            if self.token_file and not _is_loopback(self.target):
                raise SreEdgeError(
                    f"the token would travel to {self.target} in plain text: expected a CA "
                    '(--ca, SRE_EDGE_CA; "system" for the authorities that this machine trusts)'
                )
            channel = grpc.insecure_channel(self.target, options=_OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(
                root_certificates=None if self.ca == SYSTEM else _read(self.ca),
                private_key=_read(self.key) if self.key else None,
                certificate_chain=_read(self.certificate) if self.certificate else None,
            )
            channel = grpc.secure_channel(self.target, credentials, options=_OPTIONS)
        if self.token_file:
            _read(self.token_file)
            return grpc.intercept_channel(channel, _WithToken(self.token_file))
        return channel


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str], ...]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _WithToken(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Sends the token with each call."""

    def __init__(self, path: str) -> None:
        self._path = path

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return continuation(self._with_token(client_call_details), request)

    def _with_token(self, details: Any) -> _Details:
        token = _read(self._path).decode("ascii", "replace").strip()
        return _Details(
            method=details.method,
            timeout=details.timeout,
            metadata=(*(details.metadata or ()), ("authorization", f"Bearer {token}")),
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
            compression=details.compression,
        )


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SreEdgeError(f"{path}: cannot be read ({error.strerror})") from error


def _is_loopback(target: str) -> bool:
    host = target.removeprefix("dns:///").rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
