"""Stubs of all services on one channel, and what tests keep asking of them."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from google.protobuf import json_format

from sre_edge.v1 import (
    chaos_service_pb2,
    chaos_service_pb2_grpc,
    fault_pb2,
    prediction_service_pb2_grpc,
    simulation_service_pb2,
    simulation_service_pb2_grpc,
    snapshot_pb2,
)

SERVICES = ["api-gateway", "auth-service", "user-service", "database"]


class Stubs:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.simulation = simulation_service_pb2_grpc.SimulationServiceStub(channel)
        self.chaos = chaos_service_pb2_grpc.ChaosServiceStub(channel)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    async def snapshot(self) -> snapshot_pb2.Snapshot:
        answer = await self.simulation.GetMetrics(simulation_service_pb2.GetMetricsRequest())
        return answer.snapshot

    async def inject(self, **fields: Any) -> fault_pb2.Fault:
        request = json_format.ParseDict(fields, chaos_service_pb2.InjectChaosRequest())
        return (await self.chaos.InjectChaos(request)).fault

    async def until(self, condition: Any, seconds: float = 20.0) -> snapshot_pb2.Snapshot:
        async with asyncio.timeout(seconds):
            while not condition(taken := await self.snapshot()):
                await asyncio.sleep(0.02)
        return taken
