"""Assembles the server, starts it, and stops it in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass

import grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from ml.serving.artefact import read_manifest
from server import metrics
from server.credentials import (
    Certificates,
    WatchedFiles,
    certificates,
    server_credentials,
    token,
)
from server.learning.learning import Learning
from server.loop_lag import LoopLag
from server.pipeline.budgets import SloSettings
from server.pipeline.clock import Clock
from server.ports import SourceFactory
from server.rpc.access import TokenInterceptor
from server.rpc.broadcast import Broadcaster
from server.rpc.call_metrics import CallMetrics
from server.rpc.event_feed import EventFeed
from server.rpc.health_service import MAX_WATCHERS, HealthServicer
from server.rpc.registration import HEALTH, SERVICES, register
from server.rpc.server_info import ServerInfo
from server.settings import MAX_MESSAGE_BYTES, Settings, SettingsError, host_and_port
from server.sources.simulation import simulation
from server.store import Store, locate, open_store
from server.systems.repository import Repository
from server.systems.system import System
from server.systems.ticker import Ticker
from server.web.port import HttpPort

GRACE_S = 3.0
HEALTH_TIMEOUT_S = 2.0
EXTRA_CALLS = 100
"""Calls beyond the limits that are refused with a reason; gRPC refuses further ones itself."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
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
    system, broadcaster, feed, ticker
        The system, its subscribers and its clock.
    store, learning
        Database, and learning mode.
    health
        Health of the server.
    address, metrics_address
        Addresses that it listens on, with the actual ports.
    """

    system: System
    broadcaster: Broadcaster
    feed: EventFeed
    ticker: Ticker
    store: Store
    learning: Learning
    health: HealthServicer
    address: str
    metrics_address: str
    _server: grpc.aio.Server
    _tasks: tuple[asyncio.Task[None], ...]
    _http: HttpPort

    async def stop(self) -> None:
        """Shut down gracefully: report unhealthy, end streams, finish calls, close everything."""
        self.health.serving = False
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.broadcaster.end()
        self.feed.end()
        await self._server.stop(GRACE_S)
        await asyncio.to_thread(self._http.close)
        await asyncio.to_thread(self.learning.close)
        await asyncio.to_thread(self.store.close)


async def start(settings: Settings, factory: SourceFactory | None = None) -> App:
    """Start a server.

    Parameters
    ----------
    settings
        Settings of the server.
    factory
        Opens the source of each run; None: the simulation of the settings.

    Raises
    ------
    SettingsError, SourceError, ArtefactError
        If the server cannot start with these settings; the message says what to do.
    """
    settings.check()
    factory = factory or simulation(settings.topology, settings.seed)
    read_manifest(settings.model)
    store = await asyncio.to_thread(open_store, locate(settings.data, settings.store))
    try:
        return await _start(settings, factory, store)
    except BaseException:
        await asyncio.to_thread(store.close)
        raise


async def _start(settings: Settings, factory: SourceFactory, store: Store) -> App:
    learning, repository = await asyncio.to_thread(Learning, settings, store), Repository(store)
    system = await asyncio.to_thread(_system, settings, factory, learning, repository)
    learning.serve(system)
    broadcaster = Broadcaster(system.history, settings.max_streams, system.clock)
    feed = EventFeed(system.events, settings.max_streams)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    ticker = Ticker(system, broadcaster, metrics.tick_seconds(registry))
    registry.register(metrics.SystemCollector(system, broadcaster, feed, ticker, store))
    lag = LoopLag(registry)
    info = ServerInfo(settings, system, broadcaster, feed, ticker, lag, store, time.monotonic())
    watched_certificates, client_token = certificates(settings), token(settings)
    call_metrics = CallMetrics(registry)
    server = grpc.aio.server(
        interceptors=[TokenInterceptor(client_token, call_metrics.count_refused)]
        if client_token
        else None,
        options=_OPTIONS,
        maximum_concurrent_rpcs=settings.max_streams
        + settings.max_calls
        + MAX_WATCHERS
        + EXTRA_CALLS,
    )
    names = [service.full_name for service in SERVICES]
    health = HealthServicer(names, settings.write_timeout_s)
    register(
        server, health, system, broadcaster, ticker, info, learning, call_metrics, repository, feed,
        settings,
    )  # fmt: skip
    reflected = [*names, HEALTH.full_name, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(reflected, server)
    address = _bind(server, settings, watched_certificates)
    loop = asyncio.get_running_loop()
    http = HttpPort(
        settings, registry, lambda: _serving(health, loop), watched_certificates, client_token
    )
    await server.start()
    health.serving = True
    return App(
        system=system,
        broadcaster=broadcaster,
        feed=feed,
        ticker=ticker,
        store=store,
        learning=learning,
        address=address,
        metrics_address=http.address,
        _server=server,
        health=health,
        _tasks=(asyncio.create_task(ticker.run()), asyncio.create_task(lag.run())),
        _http=http,
    )


def _system(
    settings: Settings, factory: SourceFactory, learning: Learning, repository: Repository
) -> System:
    """Make the system, with the stored state of earlier runs; may take seconds."""
    return System(
        factory,
        learning.predictor(),
        history=settings.history,
        max_faults=settings.max_faults,
        persistence=repository.open(SloSettings(settings.slo_scale, settings.slo_min_rps)),
        clock=Clock(speed=settings.speed),
        observer=learning.recorder.observe,
    )


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
