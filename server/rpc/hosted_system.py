"""A watched system with its clock and its subscribers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from server.errors import ServerError, system_not_ready
from server.rpc.broadcast import Broadcaster
from server.rpc.event_feed import EventFeed
from server.rpc.heartbeat import beat
from server.rpc.predictions import Predictions
from server.systems.fleet import Fleet
from server.systems.repository import Repository
from server.systems.system import System
from server.systems.ticker import Ticker


@dataclass(eq=False)
class HostedSystem:
    """One system of the fleet while it is watched.

    Attributes
    ----------
    system, repository
        The system, and its stored records.
    broadcaster, feed
        Streams of its snapshots, and of its events.
    ticker
        Drives it by the wall clock.
    resetting
        Held while a run is prepared: one at a time.
    """

    system: System
    repository: Repository
    broadcaster: Broadcaster
    feed: EventFeed
    ticker: Ticker
    forget: Callable[[], None] = lambda: None
    resetting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: list[asyncio.Task[None]] = field(init=False)
    _predictions: Predictions | None = None

    def __post_init__(self) -> None:
        """Begin to tick, and to send heartbeats."""
        beating = beat(self.ticker, self.broadcaster, self.feed)
        self._tasks = [asyncio.create_task(self.ticker.run()), asyncio.create_task(beating)]

    @property
    def id(self) -> str:
        """Id of the system."""
        return self.system.id

    def predictions(self) -> Predictions:
        """Get the predictions of the latest snapshot.

        Raises
        ------
        ServerError
            NO_PREDICTION_YET.
        """
        snapshot, forecast = self.system.forecast()
        predictions = self._predictions
        if predictions is None or predictions.snapshot is not snapshot:
            self._predictions = predictions = Predictions(snapshot, forecast)
        return predictions

    async def end(self) -> None:
        """Stop its faults, end its run, and stop watching it."""
        await self._stop(system_not_ready(self.id, "is no longer watched"))
        await asyncio.to_thread(self.system.end)
        await self.repository.flush_async()
        await asyncio.to_thread(self.forget)

    async def stop(self) -> None:
        """Stop watching it because the server stops; the run is left as it is."""
        await self._stop(None)

    async def _stop(self, error: ServerError | None) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.broadcaster.end(error)
        self.feed.end(error)


Systems: TypeAlias = Fleet[HostedSystem]
"""All systems of a server."""
