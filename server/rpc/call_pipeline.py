"""What happens around every call: limits, metrics, and errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor

from server.errors import ServerError, Violation, invalid
from server.rpc.access import CallLimits, Context
from server.rpc.call_metrics import CallMetrics
from server.rpc.errors import CODES, abort, catalogued
from server.store import StoreError

Behaviour = Callable[[Any, Context], Awaitable[Any]]


def call_pipeline(
    method: MethodDescriptor, behaviour: Behaviour, limits: CallLimits, metrics: CallMetrics
) -> Behaviour:
    """Wrap a method of a servicer in limits, metrics and the translation of errors.

    The request is None if it could not be decoded, or the error if it was too large. One function
    does it all, because each further layer, or an interceptor, would cost a twentieth of the time
    of a call.
    """
    stream = method.server_streaming
    begin = limits.begin_stream if stream else limits.begin_call
    end = limits.end_stream if stream else limits.end_call
    path = f"/{method.containing_service.full_name}/{method.name}"
    observe_end = metrics.method_observer(path, timed=not stream)
    expected = f"expected the bytes of a {method.input_type.full_name}"

    async def answer(request: Any, context: Context) -> Any:
        start = time.perf_counter()
        code = "CANCELLED"
        try:
            if request is None:
                raise invalid([Violation("", expected)])
            if isinstance(request, ServerError):
                raise request
            begin(context)
            try:
                result = await behaviour(request, context)
            finally:
                end(context)
            code = "OK"
            return result
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception as error:
            expected_error = isinstance(error, ServerError | StoreError)
            if not expected_error and (context.cancelled() or context.done()):
                raise  # the client has gone; a blocked write ends like this
            reported = catalogued(error, path)
            code = CODES[reported.reason].name
            await abort(context, reported)
        finally:
            observe_end(context, code, time.perf_counter() - start)

    return answer
