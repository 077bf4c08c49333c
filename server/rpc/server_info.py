"""Facts about the server, as a message."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version

from server.loop_lag import LoopLag
from server.rpc import convert, times
from server.rpc.hosted_system import HostedSystem, Systems
from server.settings import MAX_MESSAGE_BYTES, MAX_SERVICES, MAX_TOPOLOGY_BYTES, Settings
from server.store import Store
from server.systems.system import System
from server.systems.ticker import Ticker
from sre_edge.v1 import server_info_pb2
from sre_edge.v1 import simulation_service_pb2 as pb

VERSION = version("sre-edge")


@dataclass(frozen=True, eq=False, slots=True)
class ServerInfo:
    """Gathers the facts about one server.

    Attributes
    ----------
    settings, systems, lag, store
        Sources of the facts.
    started_s
        Start of the server, monotonic clock, seconds.
    """

    settings: Settings
    systems: Systems
    lag: LoopLag
    store: Store
    started_s: float

    def message(self, hosted: HostedSystem) -> pb.GetServerInfoResponse:
        """Describe the present state of the server, and of one of its systems."""
        system = hosted.system
        return pb.GetServerInfoResponse(
            version=VERSION,
            model_version=system.model_version,
            cursor=convert.cursor(system.latest),
            clock=convert.clock(system.clock),
            limits=self._limits(system),
            figures=self._figures(hosted.ticker),
            store=str(self.store.location),
        )

    def _limits(self, system: System) -> server_info_pb2.ServerLimits:
        return server_info_pb2.ServerLimits(
            request_bytes=MAX_MESSAGE_BYTES,
            topology_bytes=MAX_TOPOLOGY_BYTES,
            streams=self.settings.max_streams,
            streams_per_connection=self.settings.max_streams_per_connection,
            calls=self.settings.max_calls,
            faults=self.settings.max_faults,
            services=MAX_SERVICES,
            history=system.max_history,
            write_timeout=times.duration(self.settings.write_timeout_s),
        )

    def _figures(self, ticker: Ticker) -> server_info_pb2.ServerFigures:
        durations_s = tuple(ticker.durations_s) or (0.0,)
        all_systems = tuple(self.systems.hosted())
        return server_info_pb2.ServerFigures(
            uptime=times.duration(time.monotonic() - self.started_s),
            ticks=ticker.ticks,
            tick_seconds_mean=sum(durations_s) / len(durations_s),
            tick_seconds_max=max(durations_s),
            failed_ticks=ticker.failed,
            streams=sum(one.broadcaster.streams for one in all_systems),
            dropped_snapshots=sum(one.broadcaster.dropped for one in all_systems),
            loop_lag_seconds_p99=self.lag.percentile(99.0),
            loop_lag_seconds_max=self.lag.percentile(100.0),
            event_streams=sum(one.feed.streams for one in all_systems),
            lost_records=self.store.lost,
            store_failing=self.store.failing,
        )
