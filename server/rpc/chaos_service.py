"""`ChaosService`: faults begin and end."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from server.engine import Engine
from server.errors import Violation, invalid
from server.rpc import convert
from server.rpc.errors import translated
from sre_edge.v1 import chaos_service_pb2 as pb

Context = grpc.aio.ServicerContext[Any, Any]


class ChaosServicer:
    """Injects faults into one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @translated
    async def InjectChaos(
        self, request: pb.InjectChaosRequest, context: Context
    ) -> pb.InjectChaosResponse:
        """Inject a fault."""
        active = await asyncio.to_thread(self._engine.inject, convert.order(request))
        return pb.InjectChaosResponse(fault=convert.fault(active, self._engine.run))

    @translated
    async def StopChaos(
        self, request: pb.StopChaosRequest, context: Context
    ) -> pb.StopChaosResponse:
        """End one fault, or all."""
        which = request.WhichOneof("which")
        if which is None or (which == "all" and not request.all):
            raise invalid([Violation("which", "expected a fault_id, or all = true")])
        fault_id = None if which == "all" else request.fault_id
        run = self._engine.run
        stopped = await asyncio.to_thread(self._engine.stop, fault_id)
        return pb.StopChaosResponse(stopped=[convert.fault(active, run) for active in stopped])
