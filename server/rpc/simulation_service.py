"""`SimulationService`: the system, its metrics, and a fresh start."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from server.engine import Engine
from server.errors import slow_subscriber
from server.rpc import convert
from server.rpc.broadcast import Broadcaster
from server.rpc.errors import translated
from sre_edge.v1 import simulation_service_pb2 as pb

Context = grpc.aio.ServicerContext[Any, Any]


class SimulationServicer:
    """Answers for one engine.

    Parameters
    ----------
    engine, broadcaster
        What is shown, and who is told.
    write_timeout_s
        How long a subscriber may not read.
    """

    def __init__(self, engine: Engine, broadcaster: Broadcaster, write_timeout_s: float) -> None:
        self._engine = engine
        self._broadcaster = broadcaster
        self._write_timeout_s = write_timeout_s

    @translated
    async def GetTopology(
        self, request: pb.GetTopologyRequest, context: Context
    ) -> pb.GetTopologyResponse:
        """Return the topology of the present run."""
        run = self._engine.run
        return pb.GetTopologyResponse(topology=convert.topology(run.topology), run_id=run.id)

    @translated
    async def GetMetrics(
        self, request: pb.GetMetricsRequest, context: Context
    ) -> pb.GetMetricsResponse:
        """Return the latest snapshot."""
        wanted = self._engine.indices(request.services)
        snapshot = await asyncio.to_thread(convert.snapshot, self._engine.latest, wanted)
        return pb.GetMetricsResponse(snapshot=snapshot)

    @translated
    async def StreamMetrics(self, request: pb.StreamMetricsRequest, context: Context) -> None:
        """Stream snapshots until the client cancels; messages are encoded already."""
        wanted = self._engine.indices(request.services)
        after = request.resume_after
        subscriber = self._broadcaster.subscribe(wanted, after.run_id, after.sequence)
        try:
            while True:
                message = await subscriber.next()
                try:
                    await asyncio.wait_for(context.write(message), self._write_timeout_s)
                except TimeoutError as error:
                    raise slow_subscriber(self._write_timeout_s) from error
        finally:
            self._broadcaster.unsubscribe(subscriber)

    @translated
    async def Reset(self, request: pb.ResetRequest, context: Context) -> pb.ResetResponse:
        """Begin a new run."""
        seed = request.seed if request.HasField("seed") else None
        run = await asyncio.to_thread(self._engine.reset, seed)
        await self._broadcaster.publish(self._engine.latest)
        return pb.ResetResponse(run_id=run.id, start_time=convert.timestamp(run.start_time))
