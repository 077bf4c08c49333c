"""Facts about the server, as a message."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version

from server.loop_lag import LoopLag
from server.rpc import convert, times
from server.rpc.broadcast import Broadcaster
from server.rpc.event_feed import EventFeed
from server.settings import MAX_MESSAGE_BYTES, MAX_SERVICES, Settings
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
    settings, system, broadcaster, feed, ticker, lag, store
        Sources of the facts.
    started_s
        Start of the server, monotonic clock, seconds.
    """

    settings: Settings
    system: System
    broadcaster: Broadcaster
    feed: EventFeed
    ticker: Ticker
    lag: LoopLag
    store: Store
    started_s: float

    def message(self) -> pb.GetServerInfoResponse:
        """Describe the present state."""
        latest = self.system.latest
        return pb.GetServerInfoResponse(
            version=VERSION,
            model_version=self.system.model_version,
            cursor=convert.cursor(latest),
            clock=convert.clock(self.system.clock),
            limits=self._limits(),
            figures=self._figures(),
            store=str(self.store.location),
        )

    def _limits(self) -> server_info_pb2.ServerLimits:
        return server_info_pb2.ServerLimits(
            request_bytes=MAX_MESSAGE_BYTES,
            streams=self.settings.max_streams,
            streams_per_connection=self.settings.max_streams_per_connection,
            calls=self.settings.max_calls,
            faults=self.settings.max_faults,
            services=MAX_SERVICES,
            history=self.system.max_history,
            write_timeout=times.duration(self.settings.write_timeout_s),
        )

    def _figures(self) -> server_info_pb2.ServerFigures:
        durations_s = tuple(self.ticker.durations_s) or (0.0,)
        return server_info_pb2.ServerFigures(
            uptime=times.duration(time.monotonic() - self.started_s),
            ticks=self.ticker.ticks,
            tick_seconds_mean=sum(durations_s) / len(durations_s),
            tick_seconds_max=max(durations_s),
            failed_ticks=self.ticker.failed,
            streams=self.broadcaster.streams,
            dropped_snapshots=self.broadcaster.dropped,
            loop_lag_seconds_p99=self.lag.percentile(99.0),
            loop_lag_seconds_max=self.lag.percentile(100.0),
            event_streams=self.feed.streams,
            lost_records=self.store.lost,
        )
