"""`SimulationService`: the system, its metrics, history and clock, and a reset."""

from __future__ import annotations

import asyncio

from server.errors import Violation, invalid, slow_subscriber
from server.rpc import convert, times
from server.rpc import history as history_messages
from server.rpc.access import Context
from server.rpc.broadcast import Broadcaster
from server.rpc.catalog import catalog
from server.rpc.server_info import ServerInfo
from server.rpc.snapshot_encoder import ENCODER
from server.rpc.subscriber import SnapshotFilter
from server.systems import history
from server.systems.system import System
from server.systems.ticker import Ticker
from sre_edge.v1 import simulation_service_pb2 as pb


class SimulationServicer:
    """Answers for one system.

    Parameters
    ----------
    system, broadcaster, ticker, info
        The system, its subscribers, its clock, and facts about the server.
    write_timeout_s
        How long a write to a subscriber may block, seconds.
    """

    def __init__(
        self,
        system: System,
        broadcaster: Broadcaster,
        ticker: Ticker,
        info: ServerInfo,
        write_timeout_s: float,
    ) -> None:
        self._system = system
        self._broadcaster = broadcaster
        self._ticker = ticker
        self._info = info
        self._write_timeout_s = write_timeout_s
        self._resetting = asyncio.Lock()

    async def GetTopology(
        self, request: pb.GetTopologyRequest, context: Context
    ) -> pb.GetTopologyResponse:
        """Return the topology of the present run."""
        latest = self._system.latest
        topology = await asyncio.to_thread(convert.topology, latest.graph)
        return pb.GetTopologyResponse(
            topology=topology, run_id=latest.run.id, topology_sequence=latest.graph_since
        )

    async def GetMetrics(self, request: pb.GetMetricsRequest, context: Context) -> bytes:
        """Return the latest snapshot, or the one at a past time; already encoded."""
        snapshot = self._system.latest
        if request.HasField("time"):
            snapshot = history.at(self._system.history(), times.time(request.time, "time"))
        indices = snapshot.indices(request.services)
        return await asyncio.to_thread(ENCODER.encode, snapshot, indices)

    async def StreamMetrics(self, request: pb.StreamMetricsRequest, context: Context) -> None:
        """Stream snapshots until the client cancels; messages are already encoded."""
        criteria = SnapshotFilter(
            frozenset(request.services),
            edges=not request.without_edges,
            predictions=not request.without_predictions,
        )
        after = request.resume_after
        subscriber = self._broadcaster.subscribe(criteria, after.run_id, after.sequence)
        try:
            while True:
                message = await self._broadcaster.next(subscriber)
                try:
                    async with asyncio.timeout(self._write_timeout_s):
                        await context.write(message)
                except TimeoutError as error:
                    raise slow_subscriber(self._write_timeout_s) from error
        finally:
            self._broadcaster.unsubscribe(subscriber)

    async def QueryHistory(
        self, request: pb.QueryHistoryRequest, context: Context
    ) -> pb.QueryHistoryResponse:
        """Query the history."""
        query, snapshots = history_messages.query(request), self._system.history()
        found = await asyncio.to_thread(history.series, snapshots, query)
        return await asyncio.to_thread(history_messages.response, found)

    async def SetClock(self, request: pb.SetClockRequest, context: Context) -> pb.SetClockResponse:
        """Pause, resume, or set the speed."""
        paused = request.paused if request.HasField("paused") else None
        speed = request.speed if request.HasField("speed") else None
        if paused is None and speed is None:
            raise invalid([Violation("paused", "expected paused, speed, or both")])
        clock, latest = await self._ticker.set_clock(paused, speed)
        return pb.SetClockResponse(clock=convert.clock(clock), cursor=convert.cursor(latest))

    async def Reset(self, request: pb.ResetRequest, context: Context) -> pb.ResetResponse:
        """Begin a new run, unless the caller has gone in the meantime."""
        seed = request.seed if request.HasField("seed") else None
        async with self._resetting:
            live = await asyncio.to_thread(self._system.prepare, request.topology, seed)
            run = await self._ticker.begin(live)
        return pb.ResetResponse(
            run_id=run.id,
            start_time=times.timestamp(run.start_time),
            warnings=live.source.warnings,
        )

    async def GetCatalog(
        self, request: pb.GetCatalogRequest, context: Context
    ) -> pb.GetCatalogResponse:
        """Describe the metrics and the kinds of faults."""
        return pb.GetCatalogResponse(catalog=catalog())

    async def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: Context
    ) -> pb.GetServerInfoResponse:
        """Describe the server and its state."""
        return self._info.message()
