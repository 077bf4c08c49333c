"""The health of the server, in gRPC's health checking protocol.

The servicer of `grpc_health` holds a lock while it writes to a watcher: one that does not read
would block all others and the shutdown of the server. Here watchers do not wait for each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from grpc_health.v1 import health_pb2

from server.errors import slow_subscriber, too_many_streams, unknown_service
from server.rpc.access import CallLimits, Context

MAX_WATCHERS, MAX_PER_CONNECTION, MAX_CHECKS = 100, 10, 100
"""Health checks need no token, so they have limits of their own."""

_STATUS = health_pb2.HealthCheckResponse.ServingStatus


class HealthServicer:
    """Reports the health of the server as a whole ("") and of its gRPC services.

    Parameters
    ----------
    names
        Full names of the gRPC services.
    write_timeout_s
        How long a write to a watcher may block, seconds.

    Attributes
    ----------
    limits
        Limits of health checks.
    watchers
        Number of watchers.
    """

    def __init__(self, names: Iterable[str], write_timeout_s: float) -> None:
        self.limits = CallLimits(MAX_CHECKS, MAX_PER_CONNECTION)
        self._names = ("", *names)
        self._write_timeout_s = write_timeout_s
        self._status = _STATUS.NOT_SERVING
        self._changed = asyncio.Event()
        self.watchers = 0

    @property
    def serving(self) -> bool:
        """Whether the server is serving."""
        return bool(self._status == _STATUS.SERVING)

    @serving.setter
    def serving(self, serving_now: bool) -> None:
        self._status = _STATUS.SERVING if serving_now else _STATUS.NOT_SERVING
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Report the health once."""
        if request.service not in self._names:
            raise unknown_service(request.service, self._names[1:])
        return health_pb2.HealthCheckResponse(status=self._status)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        """Report the health now and whenever it changes."""
        if self.watchers >= MAX_WATCHERS:
            raise too_many_streams(MAX_WATCHERS)
        self.watchers += 1
        try:
            await self._watch(request.service in self._names, context)
        finally:
            self.watchers -= 1

    async def _watch(self, exists: bool, context: Context) -> None:
        sent = None
        while True:
            changed = self._changed
            status = self._status if exists else _STATUS.SERVICE_UNKNOWN
            if status != sent:
                message = health_pb2.HealthCheckResponse(status=status)
                try:
                    async with asyncio.timeout(self._write_timeout_s):
                        await context.write(message.SerializeToString())
                except TimeoutError as error:
                    raise slow_subscriber(self._write_timeout_s) from error
                sent = status
            await changed.wait()
