"""An error that a fake server answers with."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2


class Failure(Exception):  # noqa: N818 - what a call is answered with
    """An error to answer with.

    Parameters
    ----------
    code
        Status code of gRPC.
    reason
        Name from `sre_edge.v1.ErrorReason` without its prefix; "" sends no details, like a
        server that is not SRE Edge.
    message
        Text for people.
    violations
        Fields by name, each with what was expected of it.
    metadata
        Further facts by name.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str = "",
        message: str = "",
        violations: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        details: list[Message] = []
        if reason:
            details.append(
                error_details_pb2.ErrorInfo(reason=reason, domain="sre-edge", metadata=metadata)
            )
        if violations:
            fields = [
                error_details_pb2.BadRequest.FieldViolation(field=field, description=text)
                for field, text in violations.items()
            ]
            details.append(error_details_pb2.BadRequest(field_violations=fields))
        self.status = status_pb2.Status(
            code=code.value[0], message=message, details=[_packed(one) for one in details]
        )


def _packed(message: Message) -> Packed:
    packed = Packed()
    packed.Pack(message)
    return packed
