"""A watched system with its clock and its subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeAlias, TypeVar

from server.errors import ServerError, system_not_ready
from server.rpc.broadcast import Broadcaster
from server.rpc.event_feed import EventFeed
from server.rpc.heartbeat import beat
from server.rpc.predictions import Predictions
from server.systems.fleet import Fleet
from server.systems.repository import Repository
from server.systems.system import System
from server.systems.ticker import Ticker

_log = logging.getLogger(__name__)

P = ParamSpec("P")
Result = TypeVar("Result")


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
    _stopping: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        """Begin to tick, and to send heartbeats."""
        beating = beat(self.ticker, self.broadcaster, self.feed)
        self._tasks = [asyncio.create_task(self.ticker.run()), asyncio.create_task(beating)]
        self._stopping = ThreadPoolExecutor(1, thread_name_prefix=f"stop {self.id}")

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

    async def at_once(self, stop: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Run what stops faults or sets the kill switch; it must not wait for the store.

        The system has a thread for that alone: neither slow calls nor another system that hangs
        hold it up.

        Raises
        ------
        ServerError
            SYSTEM_NOT_READY, or what `stop` raises.
        """
        loop = asyncio.get_running_loop()
        try:
            stopping = loop.run_in_executor(self._stopping, partial(stop, *args, **kwargs))
        except RuntimeError as error:  # it was shut down
            raise self._gone() from error
        return await stopping

    async def end(self) -> None:
        """Stop its faults, end its run, and stop watching it."""
        await self._stop(self._gone())
        await asyncio.to_thread(self.system.end)
        try:
            await self.repository.stored(f"the run of {self.id} has ended")
        except ServerError as error:  # a start of the server ends its records, too
            _log.error("system %s: %s", self.id, error)
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
        self._stopping.shutdown(wait=False)

    def _gone(self) -> ServerError:
        return system_not_ready(self.id, "is no longer watched")


Systems: TypeAlias = Fleet[HostedSystem]
"""All systems of a server."""
