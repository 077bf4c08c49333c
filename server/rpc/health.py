"""The health of the server, as gRPC's own protocol tells it."""

from __future__ import annotations

from grpc_health.v1 import health, health_pb2

from server.errors import too_many_streams
from server.rpc.access import Context
from server.rpc.errors import abort

MOST_WATCHERS = 100


class Health(health.aio.HealthServicer):  # type: ignore[misc]
    """Tells whoever asks, and so many of those who watch: they need no token and stay."""

    def __init__(self) -> None:
        super().__init__()
        self._watchers = 0

    async def Watch(  # noqa: N802 - the name of the base
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> None:
        """Tell of every change."""
        if self._watchers >= MOST_WATCHERS:
            await abort(context, too_many_streams(MOST_WATCHERS))
        self._watchers += 1
        try:
            await super().Watch(request, context)
        finally:
            self._watchers -= 1
