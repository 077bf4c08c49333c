"""Routes calls of any method to a fake server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_status import rpc_status

from sre_edge.testing.failure import Failure
from sre_edge.v1 import (
    chaos_service_pb2,
    incident_service_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    system_service_pb2,
)

_FILES = (
    simulation_service_pb2, chaos_service_pb2, prediction_service_pb2, incident_service_pb2,
    system_service_pb2,
)  # fmt: skip
_METHODS = {
    f"/{service.full_name}/{method.name}": method
    for file in _FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


class Answering(Protocol):
    """Something that answers calls."""

    unknown: set[str]

    def answer(self, method: Any, request: Any) -> Message:
        """Answer a call with one answer."""
        ...

    def stream(self, method: Any, request: Any, context: grpc.ServicerContext) -> Iterator[Message]:
        """Answer a call with a stream."""
        ...


class Handlers(grpc.GenericRpcHandler):
    """Passes each call to the fake server."""

    def __init__(self, fake: Answering) -> None:
        self._fake = fake

    def service(self, details: Any) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Find the handler of a call; None: there is none."""
        method = _METHODS.get(details.method)
        if method is None or method.name in self._fake.unknown:
            return None

        def one(request: Any, context: grpc.ServicerContext) -> Message:
            try:
                return self._fake.answer(method, request)
            except Failure as failure:
                context.abort_with_status(rpc_status.to_status(failure.status))
                raise

        def many(request: Any, context: grpc.ServicerContext) -> Iterator[Message]:
            try:
                yield from self._fake.stream(method, request, context)
            except Failure as failure:
                context.abort_with_status(rpc_status.to_status(failure.status))

        make = (
            grpc.unary_stream_rpc_method_handler
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(
            many if method.server_streaming else one,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
