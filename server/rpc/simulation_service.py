"""`SimulationService`: the system, its metrics, history and clock, and a reset."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from server.errors import Violation, invalid, slow_subscriber
from server.pipeline.snapshot import Run, Snapshot
from server.rpc import convert, times
from server.rpc import history as history_messages
from server.rpc.access import Context
from server.rpc.broadcast import encode_past
from server.rpc.catalog import catalog
from server.rpc.hosted_system import HostedSystem, Systems
from server.rpc.server_info import ServerInfo
from server.rpc.snapshot_encoder import ENCODER
from server.rpc.subscriber import SnapshotFilter
from server.systems import history
from server.systems.run import LiveRun
from sre_edge.v1 import simulation_service_pb2 as pb
from telemetry.topology.conversion import document_of

MAX_PREPARING = 2
"""Runs that are prepared at a time, of all systems: other calls need threads, too."""

BEGUN = "run {} has begun, but after a restart the records say nothing of it"


class SimulationServicer:
    """Answers for systems.

    Parameters
    ----------
    systems, info
        All systems, and facts about the server.
    write_timeout_s
        How long a write to a subscriber may block, seconds.
    """

    def __init__(self, systems: Systems, info: ServerInfo, write_timeout_s: float) -> None:
        self._systems = systems
        self._info = info
        self._write_timeout_s = write_timeout_s
        self._preparing = asyncio.Semaphore(MAX_PREPARING)

    async def GetTopology(
        self, request: pb.GetTopologyRequest, context: Context
    ) -> pb.GetTopologyResponse:
        """Return the topology of the present run."""
        latest = self._systems.get(request.system).system.latest
        topology = await asyncio.to_thread(convert.topology, latest.graph)
        document = ""
        if request.with_document:
            document = await asyncio.to_thread(document_of, latest.graph)
        return pb.GetTopologyResponse(
            topology=topology,
            run_id=latest.run.id,
            topology_sequence=latest.graph_since,
            document=document,
        )

    async def GetMetrics(self, request: pb.GetMetricsRequest, context: Context) -> bytes:
        """Return the latest snapshot, or the one at a past time; already encoded."""
        system = self._systems.get(request.system).system
        snapshot = system.latest
        if request.HasField("time"):
            snapshot = history.at(system.history(), times.time(request.time, "time"))
        indices = snapshot.indices(request.services)
        return await asyncio.to_thread(ENCODER.encode, snapshot, indices)

    async def StreamMetrics(self, request: pb.StreamMetricsRequest, context: Context) -> None:
        """Stream snapshots until the client cancels; messages are already encoded."""
        criteria = SnapshotFilter(
            frozenset(request.services),
            edges=not request.without_edges,
            predictions=not request.without_predictions,
        )
        after, hosted = request.resume_after, self._systems.get(request.system)
        broadcaster, run_id = hosted.broadcaster, after.run_id
        past: tuple[Snapshot, ...] = ()
        if request.with_past and not after.sequence:
            past, run_id = hosted.system.past(), hosted.system.run.id
        subscriber = broadcaster.subscribe(criteria, run_id, after.sequence)
        try:
            for snapshot in past:
                await self._write(context, await asyncio.to_thread(encode_past, snapshot, criteria))
            while True:
                await self._write(context, await broadcaster.next(subscriber))
        finally:
            broadcaster.unsubscribe(subscriber)

    async def QueryHistory(
        self, request: pb.QueryHistoryRequest, context: Context
    ) -> pb.QueryHistoryResponse:
        """Query the history."""
        snapshots = self._systems.get(request.system).system.history()
        query = history_messages.query(request)
        found = await asyncio.to_thread(history.series, snapshots, query)
        return await asyncio.to_thread(history_messages.response, found)

    async def SetClock(self, request: pb.SetClockRequest, context: Context) -> pb.SetClockResponse:
        """Pause, resume, or set the speed."""
        paused = request.paused if request.HasField("paused") else None
        speed = request.speed if request.HasField("speed") else None
        hosted = self._systems.get(request.system)
        if request.HasField("time"):
            hosted.system.clock.with_changes(paused, speed)  # all of it is possible, or none
            time = times.time(request.time, "time")
            await self._begin(hosted, lambda: hosted.system.prepare_at(time))
        elif paused is None and speed is None:
            raise invalid([Violation("paused", "expected paused, speed, or time")])
        clock, latest = await hosted.ticker.set_clock(paused, speed)
        return pb.SetClockResponse(clock=convert.clock(clock), cursor=convert.cursor(latest))

    async def Reset(self, request: pb.ResetRequest, context: Context) -> pb.ResetResponse:
        """Begin a new run, unless the caller has gone in the meantime."""
        seed = request.seed if request.HasField("seed") else None
        hosted = self._systems.get(request.system)
        live, run = await self._begin(hosted, lambda: hosted.system.prepare(request.topology, seed))
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
        return self._info.message(self._systems.get(request.system))

    async def _begin(
        self, hosted: HostedSystem, prepare: Callable[[], LiveRun]
    ) -> tuple[LiveRun, Run]:
        """Prepare a run, begin it, and wait until that is stored."""
        async with hosted.resetting, self._preparing:
            live = await asyncio.to_thread(prepare)
            run = await hosted.ticker.begin(live)
        await hosted.repository.stored(BEGUN.format(run.id))
        return live, run

    async def _write(self, context: Context, message: bytes) -> None:
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await context.write(message)
        except TimeoutError as error:
            raise slow_subscriber(self._write_timeout_s) from error
