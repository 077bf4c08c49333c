"""From the catalogue to `google.rpc.Status`; the only place that knows rich errors."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from server.errors import Reason, ServerError, Violation, internal, store_unavailable
from server.store import StoreError

DOMAIN = "sre-edge"
MAX_MESSAGE, MAX_VALUE, MAX_FIELD, MAX_VIOLATIONS = 1000, 1500, 300, 2000
"""Bytes: an error is sent in trailers, and clients refuse those of more than 8 KiB as a whole."""

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
    Reason.NOT_SUPPORTED_BY_SOURCE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.UNKNOWN_SYSTEM: grpc.StatusCode.NOT_FOUND,
    Reason.WHICH_SYSTEM: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.SYSTEM_NOT_READY: grpc.StatusCode.UNAVAILABLE,
    Reason.SYSTEM_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Reason.TOO_MANY_SYSTEMS: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.SYSTEM_OF_FILE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.SYSTEM_IN_USE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REQUEST_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
}

_log = logging.getLogger(__name__)


def status(error: ServerError) -> status_pb2.Status:
    """Convert an error, with an `ErrorInfo` and, for bad input, a `BadRequest`.

    Long texts are cut, so that the status always reaches the client.
    """
    metadata = {key: shortened(value, MAX_VALUE) for key, value in error.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason.name, domain=DOMAIN, metadata=metadata)
    details = [_packed(info)]
    if error.violations:
        fields = [
            error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
            for v in _first(error.violations)
        ]
        details.append(_packed(error_details_pb2.BadRequest(field_violations=fields)))
    # Text that is not ASCII takes three times as much space in a trailer.
    max_bytes = MAX_MESSAGE if error.message.isascii() else MAX_MESSAGE // 3
    return status_pb2.Status(
        code=CODES[error.reason].value[0],
        message=shortened(error.message, max_bytes),
        details=details,
    )


def shortened(text: str, max_bytes: int) -> str:
    """Cut a text to a number of bytes of UTF-8."""
    data = text.encode()
    return (
        text if len(data) <= max_bytes else data[: max_bytes - 4].decode(errors="ignore") + " ..."
    )


def _first(violations: Iterable[Violation]) -> Iterator[Violation]:
    """Yield as many violations as can be sent, and one that counts the rest."""
    remaining = list(violations)
    size = 0
    for index, one in enumerate(remaining):
        shown = Violation(
            shortened(one.field, MAX_FIELD), shortened(one.description, MAX_VIOLATIONS // 2)
        )
        size += len(shown.field.encode()) + len(shown.description.encode())
        if size > MAX_VIOLATIONS:
            yield Violation("", f"and {len(remaining) - index} more problems")
            return
        yield shown


def catalogued(error: Exception, method: str) -> ServerError:
    """Translate an error for the caller; one that is not in the catalogue is logged."""
    if isinstance(error, ServerError):
        return error
    _log.error("%s failed", method, exc_info=error)
    return store_unavailable() if isinstance(error, StoreError) else internal()


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: ServerError) -> NoReturn:
    """End a call with an error."""
    await context.abort_with_status(rpc_status.to_status(status(error)))
    raise AssertionError("abort_with_status returned")


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
