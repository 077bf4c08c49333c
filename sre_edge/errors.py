"""What can go wrong when the server is called.

::

    SreEdgeError
    ├── Unavailable          no server answers, or it has stopped: try again
    ├── Refused              the server refused the call
    │   ├── InvalidRequest   a field is wrong; `violations` names each
    │   ├── NotFound         no such service or fault
    │   ├── NotNow           a limit is reached, or there is nothing to report yet
    │   └── Unauthenticated  the token is missing or wrong
    ├── TooOld               the server does not know this call
    └── Failed               something went wrong in the server or on the way
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of a request that is wrong, and what was expected of it."""

    field: str
    description: str


class SreEdgeError(Exception):
    """A call that did not succeed.

    Attributes
    ----------
    reason
        Name from `sre_edge.v1.ErrorReason` without its prefix; "" if the server sent none.
    metadata
        Further facts by name.
    code
        Name of the gRPC status; "" if nothing was sent.
    violations
        Every field that is wrong.
    """

    def __init__(
        self,
        message: str,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        code: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.code = code
        self.violations: tuple[Violation, ...] = ()


class Unavailable(SreEdgeError):  # noqa: N818 - a state, not a mistake
    """No server answers, or it has stopped: try again."""


class Refused(SreEdgeError):  # noqa: N818
    """The server refused the call."""


class InvalidRequest(Refused):
    """A field of the request is wrong."""


class NotFound(Refused):
    """There is no such service, fault, experiment, model or time."""


class NotNow(Refused):
    """A limit is reached, or there is nothing to report yet."""


class Unauthenticated(Refused):
    """The token is missing or wrong."""


class TooOld(SreEdgeError):  # noqa: N818
    """The server does not know this call: it is older than this client."""


class Failed(SreEdgeError):  # noqa: N818
    """Something went wrong in the server or on the way."""


_KINDS: dict[grpc.StatusCode, type[SreEdgeError]] = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.RESOURCE_EXHAUSTED: NotNow,
    grpc.StatusCode.FAILED_PRECONDITION: NotNow,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.ALREADY_EXISTS: Refused,
    grpc.StatusCode.UNIMPLEMENTED: TooOld,
}


def from_rpc(error: grpc.RpcError, target: str) -> SreEdgeError:
    """Translate what gRPC raised."""
    code, message = error.code(), error.details() or ""
    reason, metadata, violations = "", {}, []
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # the details are of another error: something in between has put in its own
        status = None
    for detail in status.details if status else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations = [Violation(v.field, v.description) for v in bad.field_violations]
    kind = _KINDS.get(code, Failed)
    if not reason:
        message = _without_reason(kind, message, target)
    translated = kind(message or code.name, reason, metadata, code.name)
    translated.violations = tuple(violations)
    return translated


def _without_reason(kind: type[SreEdgeError], message: str, target: str) -> str:
    """Explain an error that did not come from an SRE Edge server."""
    if kind is Unavailable:
        tls = "handshak" in message or "SSL" in message
        why = f" with this TLS configuration ({message})" if tls else ""
        return f"no SRE Edge server answers at {target}{why}"
    if kind is TooOld:
        return f"the server at {target} does not know this call: it is older than this client"
    return message
