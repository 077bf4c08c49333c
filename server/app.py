"""Assembles the server, starts it, and stops it in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from ml.serving.artefact import read_manifest
from server import metrics
from server.credentials import (
    Certificates,
    Token,
    WatchedFiles,
    certificates,
    server_credentials,
    token,
)
from server.experiments.kill_switch import KillSwitch
from server.hosting import Host, check_ids, entries_of, only_entry, open_systems
from server.learning.learning import Learning
from server.loop_lag import LoopLag
from server.ports import SourceFactory
from server.records.systems import EVERY_SYSTEM
from server.rpc.access import TokenInterceptor
from server.rpc.administration import Administration
from server.rpc.call_metrics import CallMetrics
from server.rpc.health_service import MAX_WATCHERS, HealthServicer
from server.rpc.hosted_system import HostedSystem, Systems
from server.rpc.registration import HEALTH, SERVICES, register
from server.rpc.server_info import ServerInfo
from server.settings import MAX_TOPOLOGY_BYTES, Settings, SettingsError, host_and_port
from server.sources.entries import read_call
from server.sources.kinds import Folders
from server.store import Store, kill_switch, locate, open_store, systems
from server.systems.entry import SystemEntry
from server.web.port import HttpPort

GRACE_S = 3.0
HEALTH_TIMEOUT_S = 2.0
EXTRA_CALLS = 100
"""Calls beyond the limits that are refused with a reason; gRPC refuses further ones itself."""

_log = logging.getLogger(__name__)

_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_TOPOLOGY_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


@dataclass(eq=False)
class App:
    """A running server; `start` makes one.

    Attributes
    ----------
    systems, administration
        All systems, and what changes them.
    store, learning
        Database, and learning mode.
    health
        Health of the server.
    address, metrics_address
        Addresses that it listens on, with the actual ports.
    """

    systems: Systems
    administration: Administration
    store: Store
    learning: Learning
    health: HealthServicer
    address: str
    metrics_address: str
    _settings: Settings
    _host: Host
    _server: grpc.aio.Server
    _lag: asyncio.Task[None]
    _http: HttpPort

    @property
    def only(self) -> HostedSystem:
        """The default system, or the only one."""
        return self.systems.get("")

    async def reload(self) -> None:
        """Read the systems file again; one that cannot be used changes nothing, and is logged."""

        def read() -> list[SystemEntry]:
            entries = entries_of(self._settings) or []
            check_ids(entries, self.systems)
            return entries

        try:
            count = await self.administration.apply(read)
            _log.info("the systems file was read again: %d systems", count)
        except SettingsError as error:
            _log.error("the systems file cannot be used, so nothing has changed: %s", error)
        except Exception:
            _log.exception("the systems file was not read again as a whole")

    async def stop(self) -> None:
        """Shut down gracefully: report unhealthy, end streams, finish calls, close everything."""
        self.health.serving = False
        self._lag.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._lag
        self.administration.close()
        await self.systems.stop()
        self._host.close()
        await self._server.stop(GRACE_S)
        await asyncio.to_thread(self._http.close)
        await asyncio.to_thread(self.learning.close)
        await asyncio.to_thread(self.store.close)


async def start(
    settings: Settings,
    factory: SourceFactory | None = None,
    entries: Sequence[SystemEntry] | None = None,
) -> App:
    """Start a server.

    Parameters
    ----------
    settings
        Settings of the server.
    factory
        Opens the source of each run of the only system.
    entries
        Systems to watch. Without these and a factory: the systems of the settings.

    Raises
    ------
    SettingsError, SourceError, ArtefactError
        If the server cannot start with these settings; the message says what to do.
    """
    settings.check()
    if factory is None and entries is None:
        entries = entries_of(settings)
    only = only_entry(settings, factory) if entries is None else None
    read_manifest(settings.model)
    async with contextlib.AsyncExitStack() as opened:
        app = await _start(settings, only, entries, opened)
        opened.pop_all()  # from here on `App.stop` closes it
        return app


async def _start(
    settings: Settings,
    only: SystemEntry | None,
    entries: Sequence[SystemEntry] | None,
    opened: contextlib.AsyncExitStack,
) -> App:
    """Start a server; `opened` closes what was opened, should the start fail further on."""
    store = await asyncio.to_thread(open_store, locate(settings.data, settings.store))
    opened.push_async_callback(asyncio.to_thread, store.close)
    await asyncio.to_thread(_end_runs, store)
    learning = await asyncio.to_thread(Learning, settings, store)
    opened.push_async_callback(asyncio.to_thread, learning.close)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    engaged = await asyncio.to_thread(store.read, lambda c: kill_switch.engaged(c, EVERY_SYSTEM))
    for_all = KillSwitch(engaged)
    host = Host(settings, store, learning, for_all, metrics.tick_seconds(registry))
    opened.callback(host.close)
    fleet = Systems(host)
    opened.push_async_callback(fleet.stop)
    folders = Folders(recordings=settings.recordings, topologies=settings.topologies)
    read_entry = partial(read_call, folders=folders)
    administration = Administration(fleet, store, for_all, read_entry)
    lag = LoopLag(registry)
    registry.register(metrics.SystemCollector(fleet, store))
    info = ServerInfo(settings, fleet, lag, store, time.monotonic())
    watched_certificates, client_token = certificates(settings), token(settings)
    call_metrics = CallMetrics(registry)
    server = _server(settings, client_token, call_metrics)
    names = [service.full_name for service in SERVICES]
    health = HealthServicer(names, settings.write_timeout_s)
    register(server, health, fleet, administration, info, learning, call_metrics, settings)
    reflected = [*names, HEALTH.full_name, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(reflected, server)
    await open_systems(fleet, only, entries, store, folders)
    loop = asyncio.get_running_loop()
    http = HttpPort(
        settings, registry, lambda: _serving(health, loop), watched_certificates, client_token
    )
    opened.push_async_callback(asyncio.to_thread, http.close)
    address = _bind(server, settings, watched_certificates)
    await server.start()
    health.serving = True
    return App(
        systems=fleet,
        administration=administration,
        store=store,
        learning=learning,
        address=address,
        metrics_address=http.address,
        _settings=settings,
        _host=host,
        _server=server,
        health=health,
        _lag=asyncio.create_task(lag.run()),
        _http=http,
    )


def _server(
    settings: Settings, client_token: Token | None, call_metrics: CallMetrics
) -> grpc.aio.Server:
    """Make the gRPC server, which listens nowhere yet."""
    limit = (
        settings.max_streams
        + 2 * settings.max_calls  # those that stop faults have a limit of their own
        + MAX_WATCHERS
        + EXTRA_CALLS
    )
    return grpc.aio.server(
        interceptors=[TokenInterceptor(client_token, call_metrics.count_refused)]
        if client_token
        else None,
        options=_OPTIONS,
        maximum_concurrent_rpcs=limit,
    )


def _end_runs(store: Store) -> None:
    """Close what an earlier server left open."""
    if left := store.ask(systems.end_runs):
        _log.info("%d incidents, alarms and experiments ended with the run before", left)


def _bind(
    server: grpc.aio.Server,
    settings: Settings,
    watched_certificates: WatchedFiles[Certificates] | None,
) -> str:
    """Listen; return the address with the actual port."""
    host, port = host_and_port(settings.listen, "SRE_EDGE_LISTEN")
    try:
        # gRPC does not report why it cannot listen, and writes to its own log.
        family, _, _, _, locate = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(locate)
        if watched_certificates is None:
            port = server.add_insecure_port(settings.listen)
        else:
            credentials = server_credentials(
                watched_certificates, mutual=settings.client_ca is not None
            )
            port = server.add_secure_port(settings.listen, credentials)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "not possible"
        raise SettingsError(
            f"cannot listen on {settings.listen} ({reason}); set another address with "
            "--listen or SRE_EDGE_LISTEN"
        ) from error
    return f"{host}:{port}"


async def _serving(health: HealthServicer, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the server is serving; checked in its event loop, to detect a stuck one."""

    async def is_serving() -> bool:
        return health.serving

    try:
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(is_serving(), loop))
    except (TimeoutError, asyncio.CancelledError):
        return False
