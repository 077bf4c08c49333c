"""How a client reaches a server: plain on loopback, else with TLS and a token."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from sre_edge.errors import SreEdgeError
from sre_edge.v1 import (
    chaos_service_pb2,
    incident_service_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    system_service_pb2,
)

TARGET = "127.0.0.1:50051"
SYSTEM = "system"

# Sent twice, these would do something twice or answer something else.
_ONCE = (
    "Reset", "StopChaos", "LiftKillSwitch", "StartTraining", "StreamMetrics", "StreamEvents",
    "AddSystem", "RemoveSystem", "DeleteRecords",
)  # fmt: skip
_SERVICES = {
    "SimulationService": simulation_service_pb2,
    "ChaosService": chaos_service_pb2,
    "PredictionService": prediction_service_pb2,
    "IncidentService": incident_service_pb2,
    "SystemService": system_service_pb2,
}


def _service_config() -> str:
    """Have gRPC itself send again, four times in all, what may be sent again."""
    names = [
        {"service": service.full_name, "method": method.name}
        for name, module in _SERVICES.items()
        for service in [module.DESCRIPTOR.services_by_name[name]]
        for method in service.methods
        if method.name not in _ONCE
    ]
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": policy}]})


_OPTIONS = (
    ("grpc.service_config", _service_config()),
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
    """Address of a server, and the credentials for it.

    Attributes
    ----------
    target
        host:port.
    ca
        PEM file of the CA that signed the server's certificate, or "system" for the authorities
        that this machine trusts; None: unencrypted traffic.
    token_file
        File with the server's token, read again for each call; None: no token.
    certificate, key
        PEM files of the client's own certificate and key, for mutual TLS.
    system
        Id of the system that calls are about; "": the server's default system, or its only one.
    """

    target: str = TARGET
    ca: str | None = None
    token_file: str | None = None
    certificate: str | None = None
    key: str | None = None
    system: str = ""

    def channel(self, *, apart: bool = False) -> grpc.Channel:
        """Open a channel for threads; the connection itself comes with the first call.

        Parameters
        ----------
        apart
            Whether to connect anew even if another channel is connected to the same server.

        Raises
        ------
        SreEdgeError
            If a file cannot be read, or the token would travel in plain text.
        """
        self._check()
        options = self._options(apart=apart)
        if self.ca is None:
            channel = grpc.insecure_channel(self.target, options=options)
        else:
            channel = grpc.secure_channel(self.target, self._credentials(), options=options)
        if self.token_file:
            return grpc.intercept_channel(channel, _WithToken(self.token_file))
        return channel

    def aio_channel(self, *, apart: bool = False) -> grpc.aio.Channel:
        """Open a channel for the running event loop; see `channel`."""
        self._check()
        interceptors = _aio_interceptors(self.token_file) if self.token_file else []
        options = self._options(apart=apart)
        if self.ca is None:
            return grpc.aio.insecure_channel(
                self.target, options=options, interceptors=interceptors
            )
        return grpc.aio.secure_channel(
            self.target, self._credentials(), options=options, interceptors=interceptors
        )

    def _options(self, *, apart: bool) -> list[tuple[str, Any]]:
        # A proxy of the environment must not get what is for this machine, the token among it.
        proxy = 0 if _is_loopback(self.target) else 1
        return [
            *_OPTIONS,
            ("grpc.enable_http_proxy", proxy),
            ("grpc.use_local_subchannel_pool", int(apart)),
        ]

    def _check(self) -> None:
        if self.ca is None:
            if self.certificate or self.key:
                raise SreEdgeError("a client certificate needs TLS: expected a CA as well")
            if self.token_file and not _is_loopback(self.target):
                raise SreEdgeError(
                    f"the token would travel to {self.target} in plain text: expected a CA "
                    '(--ca, SRE_EDGE_CA; "system" for the authorities that this machine trusts)'
                )
        if self.token_file:
            _authorization(self.token_file)

    def _credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(
            root_certificates=None if self.ca in (None, SYSTEM) else _pem(str(self.ca)),
            private_key=_pem(self.key) if self.key else None,
            certificate_chain=_pem(self.certificate) if self.certificate else None,
        )


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
        return _Details(
            method=details.method,
            timeout=details.timeout,
            metadata=(*(details.metadata or ()), _authorization(self._path)),
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
            compression=details.compression,
        )


class _UnaryWithToken(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, path: str) -> None:
        self._path = path

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        client_call_details.metadata.add(*_authorization(self._path))
        return await continuation(client_call_details, request)


class _StreamWithToken(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, path: str) -> None:
        self._path = path

    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        client_call_details.metadata.add(*_authorization(self._path))
        return await continuation(client_call_details, request)


def _aio_interceptors(path: str) -> list[grpc.aio.ClientInterceptor]:
    # One class each: an asyncio channel takes an interceptor for one kind of call only.
    return [_UnaryWithToken(path), _StreamWithToken(path)]


def _authorization(path: str) -> tuple[str, str]:
    token = _read(path).decode("ascii", "replace").strip()
    if not (token.isascii() and token.isprintable()):
        raise SreEdgeError(f"{path}: expected a token of printable ASCII characters")
    return "authorization", f"Bearer {token}"


def _pem(path: str) -> bytes:
    content = _read(path)
    if b"-----BEGIN " not in content:
        raise SreEdgeError(f"{path}: expected a PEM file")
    return content


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
