"""From the catalogue to `google.rpc.Status`; the only place that knows rich errors."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from server.errors import Reason, ServerError, internal, store_unavailable
from server.store import StoreError

DOMAIN = "sre-edge"

CODES: dict[Reason, grpc.StatusCode] = {
    Reason.INVALID_FIELD: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.UNKNOWN_SERVICE: grpc.StatusCode.NOT_FOUND,
    Reason.UNKNOWN_FAULT: grpc.StatusCode.NOT_FOUND,
    Reason.TOO_MANY_FAULTS: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_STREAMS: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.SLOW_SUBSCRIBER: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.NO_PREDICTION_YET: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
    Reason.UNKNOWN_MODEL: grpc.StatusCode.NOT_FOUND,
    Reason.UNUSABLE_MODEL: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.UNKNOWN_TRAINING: grpc.StatusCode.NOT_FOUND,
    Reason.TRAINING_RUNS: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.TRAINING_UNAVAILABLE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.NOTHING_TO_LEARN: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.STORE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
    Reason.NOT_IN_HISTORY: grpc.StatusCode.NOT_FOUND,
    Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.TOO_MANY_CALLS: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.UNKNOWN_EXPERIMENT: grpc.StatusCode.NOT_FOUND,
    Reason.KILL_SWITCH_ENGAGED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REQUEST_ID_REUSED: grpc.StatusCode.ALREADY_EXISTS,
}

_log = logging.getLogger(__name__)
Result = TypeVar("Result")


def status(error: ServerError) -> status_pb2.Status:
    """Convert an error, with an `ErrorInfo` and, for bad input, a `BadRequest`."""
    info = error_details_pb2.ErrorInfo(
        reason=error.reason.name, domain=DOMAIN, metadata=error.metadata
    )
    details = [_packed(info)]
    if error.violations:
        details.append(
            _packed(
                error_details_pb2.BadRequest(
                    field_violations=[
                        error_details_pb2.BadRequest.FieldViolation(
                            field=v.field, description=v.description
                        )
                        for v in error.violations
                    ]
                )
            )
        )
    return status_pb2.Status(
        code=CODES[error.reason].value[0], message=error.message, details=details
    )


def translated(
    method: Callable[[Any, Any, Any], Awaitable[Result]],
) -> Callable[[Any, Any, Any], Awaitable[Result]]:
    """Make a servicer's method answer with catalogued errors only."""

    @functools.wraps(method)
    async def call(self: Any, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Result:
        try:
            return await method(self, request, context)
        except ServerError as error:
            told = error
        except StoreError:
            _log.exception("%s failed", method.__qualname__)
            told = store_unavailable()
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception:
            if context.cancelled() or context.done():
                raise  # the client is gone; a blocked write ends that way
            _log.exception("%s failed", method.__qualname__)
            told = internal()
        return await abort(context, told)

    return call


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: ServerError) -> NoReturn:
    """End a call with an error."""
    await context.abort_with_status(rpc_status.to_status(status(error)))
    raise AssertionError("abort_with_status returned")


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
