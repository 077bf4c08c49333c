"""Descriptions of calls, independent of how they are made.

Each call of the API is described once, in `sre_edge.calls`, as a generator: it yields what to ask
the server and is sent the answer, and what it returns is the result. `Client` runs these
descriptions in threads, `AsyncClient` on an event loop; neither knows what any call means.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from sre_edge.v1 import (
    chaos_service_pb2_grpc,
    incident_service_pb2_grpc,
    prediction_service_pb2_grpc,
    simulation_service_pb2_grpc,
    system_service_pb2_grpc,
)

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)
Result = TypeVar("Result")


class Stubs:
    """The generated stubs on one channel, a blocking or an asyncio one."""

    def __init__(self, channel: Any) -> None:
        self.simulation: simulation_service_pb2_grpc.SimulationServiceStub = (
            simulation_service_pb2_grpc.SimulationServiceStub(channel)
        )
        self.chaos: chaos_service_pb2_grpc.ChaosServiceStub = (
            chaos_service_pb2_grpc.ChaosServiceStub(channel)
        )
        self.prediction: prediction_service_pb2_grpc.PredictionServiceStub = (
            prediction_service_pb2_grpc.PredictionServiceStub(channel)
        )
        self.incident: incident_service_pb2_grpc.IncidentServiceStub = (
            incident_service_pb2_grpc.IncidentServiceStub(channel)
        )
        self.system: system_service_pb2_grpc.SystemServiceStub = (
            system_service_pb2_grpc.SystemServiceStub(channel)
        )


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a call with one answer.

    Attributes
    ----------
    method
        Selects the method of the stubs to call.
    timeout_s
        Timeout in seconds; None: the client's default.
    """

    method: Callable[[Stubs], Any]
    request: Message
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait between two requests."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Update(Generic[Result]):
    """An intermediate result of something that is followed."""

    result: Result


Exchange = Generator[Ask, Any, Result]
"""A call: the requests it yields, the answers it is sent, and its result."""

Following = Generator[Ask | Pause | Update[Result], Any, None]
"""A call that is repeated: yields intermediate results."""


def addressed(request: Request, system: str) -> Request:
    """Name a system in a request that could name one and does not."""
    if not system or "system" not in request.DESCRIPTOR.fields_by_name:
        return request
    message: Any = request
    if not (message.system or getattr(message, "every_system", False)):
        message.system = system
    return request


def ask(
    method: Callable[[Stubs], grpc.UnaryUnaryMultiCallable[Request, Answer]],
    request: Request,
    timeout_s: float | None = None,
) -> Exchange[Answer]:
    """Make one call; the result is its answer."""
    answer: Answer = yield Ask(method, request, timeout_s)
    return answer


def copy_signature(method: Callable[..., Any], description: Callable[..., Any]) -> None:
    """Give a client's method the name, the documentation and the parameters of a description."""
    functools.update_wrapper(method, description)
    del method.__wrapped__  # type: ignore[attr-defined]  # it has no `self`
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = inspect.signature(description).parameters.values()
    method.__signature__ = inspect.Signature([itself, *parameters])  # type: ignore[attr-defined]
