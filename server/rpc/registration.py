"""Registers servicers on a server. Streams pass bytes through: they are encoded once for all."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, TypeAlias

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from server.errors import request_too_large
from server.learning.learning import Learning
from server.rpc.access import CallLimits
from server.rpc.administration import Administration
from server.rpc.call_metrics import CallMetrics
from server.rpc.call_pipeline import Behaviour, call_pipeline
from server.rpc.chaos_service import ChaosServicer
from server.rpc.health_service import HealthServicer
from server.rpc.hosted_system import Systems
from server.rpc.incident_service import IncidentServicer
from server.rpc.prediction_service import PredictionServicer
from server.rpc.server_info import ServerInfo
from server.rpc.simulation_service import SimulationServicer
from server.rpc.system_service import SystemServicer
from server.settings import MAX_MESSAGE_BYTES, MAX_TOPOLOGY_BYTES, Settings
from sre_edge.v1 import (
    chaos_service_pb2,
    incident_service_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    system_service_pb2,
)

SERVICES: tuple[ServiceDescriptor, ...] = (
    simulation_service_pb2.DESCRIPTOR.services_by_name["SimulationService"],
    chaos_service_pb2.DESCRIPTOR.services_by_name["ChaosService"],
    prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"],
    incident_service_pb2.DESCRIPTOR.services_by_name["IncidentService"],
    system_service_pb2.DESCRIPTOR.services_by_name["SystemService"],
)
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # at run time it takes no parameters
WITH_TOPOLOGY = ("Reset",)
"""Calls whose requests may hold a topology, and so be larger than those of others."""
STOPPING = ("StopChaos",)
"""Calls that no other calls may keep out: their limit is their own."""
ENCODED = ("GetMetrics",)
"""Unary calls whose servicer encodes the response itself."""

HEALTH: ServiceDescriptor = health_pb2.DESCRIPTOR.services_by_name["Health"]


def register(
    server: grpc.aio.Server,
    health: HealthServicer,
    systems: Systems,
    administration: Administration,
    info: ServerInfo,
    learning: Learning,
    metrics: CallMetrics,
    settings: Settings,
) -> None:
    """Add all services to a server."""
    write_timeout_s = settings.write_timeout_s
    servicers: tuple[Any, ...] = (
        SimulationServicer(systems, info, write_timeout_s),
        ChaosServicer(systems, administration),
        PredictionServicer(systems, learning),
        IncidentServicer(systems, write_timeout_s),
        SystemServicer(systems, administration),
    )
    limits = CallLimits(settings.max_calls, settings.max_streams_per_connection)
    of_stops = CallLimits(settings.max_calls, settings.max_streams_per_connection)
    handlers = _Handlers()
    for descriptor, servicer in zip(SERVICES, servicers, strict=True):
        handlers.add(descriptor, servicer, limits, metrics)
        handlers.add(descriptor, servicer, of_stops, metrics, STOPPING)
    handlers.add(HEALTH, health, health.limits, metrics)
    server.add_generic_rpc_handlers((handlers,))


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of any method with one look-up instead of one per service."""

    def __init__(self) -> None:
        self._by_path: dict[str, Handler] = {}

    def add(
        self,
        service: ServiceDescriptor,
        servicer: Any,
        limits: CallLimits,
        metrics: CallMetrics,
        names: Container[str] | None = None,
    ) -> None:
        """Add the methods of a service, or those with some names."""
        for method in service.methods:
            if names is not None and method.name not in names:
                continue
            path = f"/{service.full_name}/{method.name}"
            behaviour = getattr(servicer, method.name)
            self._by_path[path] = _handler(method, behaviour, limits, metrics)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        return self._by_path.get(handler_call_details.method)


def _handler(
    method: MethodDescriptor, behaviour: Behaviour, limits: CallLimits, metrics: CallMetrics
) -> Handler:
    request = message_factory.GetMessageClass(method.input_type)
    limit = MAX_TOPOLOGY_BYTES if method.name in WITH_TOPOLOGY else MAX_MESSAGE_BYTES
    decode = _decoder(request, limit)
    answer = call_pipeline(method, behaviour, limits, metrics)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(
            answer, request_deserializer=decode, response_serializer=bytes
        )
    response = message_factory.GetMessageClass(method.output_type)
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=decode,
        response_serializer=None if method.name in ENCODED else response.SerializeToString,
    )


def _decoder(request: Any, limit: int) -> Callable[[bytes], Any]:
    """Make a decoder that returns None for malformed requests: gRPC would answer UNKNOWN.

    It returns the error for those that are too large.
    """

    def decode(data: bytes) -> Any:
        if len(data) > limit:
            return request_too_large(len(data), limit)
        try:
            return request.FromString(data)
        except DecodeError:
            return None

    return decode
