"""The health of the server, as gRPC's own protocol tells it.

The servicer of `grpc_health` writes to a watcher while it holds what all others need: one that does
not read would hold up every other, and the end of the server. Here nobody waits for anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from grpc_health.v1 import health_pb2

from server.errors import slow_subscriber, too_many_streams, unknown_service
from server.rpc.access import CallLimits, Context

MAX_WATCHERS, MAX_PER_CONNECTION, MAX_CHECKS = 100, 10, 100
"""They need no token, and have limits of their own."""

_STATUS = health_pb2.HealthCheckResponse.ServingStatus


class HealthServicer:
    """Tells how the server as a whole ("") and its gRPC services are.

    Parameters
    ----------
    names
        Of the services.
    write_timeout_s
        For a watcher that does not read.

    Attributes
    ----------
    limits
        Of those who ask.
    watchers
        How many watch.
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
        """Whether the server serves."""
        return bool(self._status == _STATUS.SERVING)

    @serving.setter
    def serving(self, serving_now: bool) -> None:
        self._status = _STATUS.SERVING if serving_now else _STATUS.NOT_SERVING
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Say it once."""
        if request.service not in self._names:
            raise unknown_service(request.service, self._names[1:])
        return health_pb2.HealthCheckResponse(status=self._status)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        """Say it now and whenever it changes."""
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
