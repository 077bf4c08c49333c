"""Puts the server together, starts it, and stops it in order."""

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
    Watched,
    certificates,
    server_credentials,
    token,
)
from server.learning.learning import Learning
from server.loop_lag import LoopLag
from server.pipeline.budgets import SloSettings
from server.pipeline.clock import Clock
from server.ports import SourceFactory
from server.rpc.access import Authenticated
from server.rpc.broadcast import Broadcaster
from server.rpc.event_feed import EventFeed
from server.rpc.health_service import MAX_WATCHERS, HealthServicer
from server.rpc.observed import Observed
from server.rpc.registration import HEALTH, SERVICES, register
from server.rpc.server_info import ServerInfo
from server.settings import MAX_MESSAGE_BYTES, Settings, SettingsError, host_and_port
from server.sources.simulation import simulation
from server.store import Store, open_store, place
from server.systems.repository import Repository
from server.systems.system import System
from server.systems.ticker import Ticker
from server.web.port import HttpPort

GRACE_S = 3.0
HEALTH_TIMEOUT_S = 2.0
SPARE_CALLS = 100
"""Calls beyond the limits, to be refused with a reason; above, gRPC refuses them by itself."""

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
        What it serves.
    store, learning
        What outlives it, and what it learns.
    health
        What it says of itself.
    address, metrics_address
        Where it listens, with the ports that it got.
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
    _running: tuple[asyncio.Task[None], ...]
    _http: HttpPort

    async def stop(self) -> None:
        """Drain: no longer healthy, streams end, calls finish, nothing is left."""
        self.health.serving = False
        for running in self._running:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
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
        What is asked for.
    factory
        Opens the source of its system; None: the simulation that the settings name.

    Raises
    ------
    SettingsError, SourceError, ArtefactError
        If it cannot be started as asked; the message says what to do.
    """
    settings.check()
    factory = factory or simulation(settings.topology, settings.seed)
    read_manifest(settings.model)
    store = await asyncio.to_thread(open_store, place(settings.data, settings.store))
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
    certs, secret = certificates(settings), token(settings)
    observed = Observed(registry)
    server = grpc.aio.server(
        interceptors=[Authenticated(secret, observed.refused)] if secret else None,
        options=_OPTIONS,
        maximum_concurrent_rpcs=settings.max_streams
        + settings.max_calls
        + MAX_WATCHERS
        + SPARE_CALLS,
    )
    names = [service.full_name for service in SERVICES]
    healthy = HealthServicer(names, settings.write_timeout_s)
    register(
        server, healthy, system, broadcaster, ticker, info, learning, observed, repository, feed,
        settings,
    )  # fmt: skip
    told = [*names, HEALTH.full_name, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(told, server)
    address = _bind(server, settings, certs)
    loop = asyncio.get_running_loop()
    http = HttpPort(settings, registry, lambda: _serving(healthy, loop), certs, secret)
    await server.start()
    healthy.serving = True
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
        health=healthy,
        _running=(asyncio.create_task(ticker.run()), asyncio.create_task(lag.run())),
        _http=http,
    )


def _system(
    settings: Settings, factory: SourceFactory, learning: Learning, repository: Repository
) -> System:
    """Make the system, which goes on from what was kept; takes a while."""
    return System(
        factory,
        learning.predictor(),
        history=settings.history,
        max_faults=settings.max_faults,
        persistence=repository.open(SloSettings(settings.slo_scale, settings.slo_min_rps)),
        clock=Clock(speed=settings.speed),
        observer=learning.recorder.observe,
    )


def _bind(server: grpc.aio.Server, settings: Settings, certs: Watched[Certificates] | None) -> str:
    """Listen; gives the address with the port that it got."""
    host, port = host_and_port(settings.listen, "SRE_EDGE_LISTEN")
    try:
        # gRPC says neither why it cannot listen nor keeps its own log quiet about it.
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
        if certs is None:
            port = server.add_insecure_port(settings.listen)
        else:
            credentials = server_credentials(certs, mutual=settings.client_ca is not None)
            port = server.add_secure_port(settings.listen, credentials)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "not possible"
        raise SettingsError(
            f"{settings.listen} cannot be listened on ({reason}); set another address with "
            "--listen or SRE_EDGE_LISTEN"
        ) from error
    return f"{host}:{port}"


async def _serving(healthy: HealthServicer, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the server says that it serves; asked in its loop, so that a stuck one shows."""

    async def asked() -> bool:
        return healthy.serving

    try:
        async with asyncio.timeout(HEALTH_TIMEOUT_S):
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked(), loop))
    except (TimeoutError, asyncio.CancelledError):
        return False
