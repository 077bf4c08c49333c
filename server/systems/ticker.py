"""Drives a system by the wall clock, off the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from prometheus_client import Histogram

from server.errors import not_supported_by_source
from server.pipeline.clock import Clock
from server.pipeline.snapshot import Run, Snapshot
from server.ports import SourceEndedError, SourceError
from server.systems.run import LiveRun
from server.systems.system import System
from telemetry.frame import stale_after_s

MAX_DURATIONS = 100
INTERNAL = "internal error; the server's log has details"

_log = logging.getLogger(__name__)


class Publisher(Protocol):
    """Publishes to subscribers; called from the event loop."""

    async def publish(self, snapshot: Snapshot) -> None:
        """Send a snapshot to every subscriber."""
        ...

    def set_clock(self, clock: Clock) -> None:
        """Send the state of the clock to every subscriber."""
        ...


class Ticker:
    """One tick per interval of the system's time, published to all subscribers.

    It uses the event loop's monotonic clock. A tick that is late,
    because the machine slept or is too slow, is not made up for.

    Parameters
    ----------
    system, publisher
        The system, and the publisher of its snapshots.
    seconds
        Histogram of the duration of ticks, seconds.

    Attributes
    ----------
    ticks, failed
        Number of ticks, and of failed ones.
    durations_s
        Durations of the latest ticks, seconds.
    problem
        Why the latest tick failed, for people; "" if it did not.
    ended
        Whether the source has no further frame; the clock is paused then.
    """

    def __init__(self, system: System, publisher: Publisher, seconds: Histogram) -> None:
        self.ticks = self.failed = 0
        self.problem, self.ended = "", False
        self._latest_s = time.monotonic()
        self.durations_s: deque[float] = deque(maxlen=MAX_DURATIONS)
        self._system, self._publisher = system, publisher
        self._seconds = seconds
        self._ticking = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def frame_age_s(self) -> float:
        """Time since the latest frame, wall clock, seconds."""
        return time.monotonic() - self._latest_s

    @property
    def stale(self) -> bool:
        """Whether the latest frame is stale, by the wall clock; never while paused."""
        clock = self._system.clock
        period_s = self._system.latest.frame.interval_s / clock.speed
        return not clock.paused and self.frame_age_s > stale_after_s(period_s)

    async def run(self) -> None:
        """Tick until cancelled. A tick that fails is logged, and the next one is tried."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        thread = ThreadPoolExecutor(1, thread_name_prefix="tick")
        try:
            while True:
                clock = self._system.clock
                period_s = self._system.latest.frame.interval_s / clock.speed
                next_due = max(due + period_s, loop.time())
                self._changed.clear()
                try:
                    async with asyncio.timeout_at(None if clock.paused else next_due):
                        await self._changed.wait()
                except TimeoutError:
                    async with self._ticking:
                        if self._system.clock == clock:
                            due = next_due
                            await self._tick(thread)
        finally:
            thread.shutdown(wait=False)

    async def set_clock(self, paused: bool | None, speed: float | None) -> tuple[Clock, Snapshot]:
        """Change the clock, and notify all subscribers; return it with the latest snapshot.

        It waits for a tick in progress, so that no tick follows a pause.

        Raises
        ------
        ServerError
            INVALID_FIELD, for a speed out of range, or NOT_SUPPORTED_BY_SOURCE, also if it is to go
            on and nothing follows.
        """
        if not self._system.capabilities.clock:
            raise not_supported_by_source("a clock that can be set")
        self._system.clock.with_changes(paused, speed)
        async with self._ticking:
            if self.ended and paused is False:
                raise not_supported_by_source(f"going on; {self.problem}")
            clock = self._system.clock.with_changes(paused, speed)
            self._use(clock)
            return clock, self._system.latest

    async def begin(self, live: LiveRun) -> Run:
        """Begin a prepared run between two ticks, and notify all subscribers.

        If the caller is cancelled, it is still done as a whole, or not at all.
        """
        return await asyncio.shield(asyncio.create_task(self._begin(live)))

    async def _begin(self, live: LiveRun) -> Run:
        async with self._ticking:
            run = await asyncio.to_thread(self._system.begin, live)
            self._latest_s, self.problem = time.monotonic(), ""
            if self.ended:
                self.ended = False
                self._use(self._system.clock.with_changes(False, None))
            await self._publisher.publish(self._system.latest)
            return run

    def _use(self, clock: Clock) -> None:
        if clock == self._system.clock:
            return
        self._system.clock = clock
        self._latest_s = time.monotonic()  # frames are due from now on
        self._publisher.set_clock(clock)
        self._changed.set()

    async def _tick(self, thread: ThreadPoolExecutor) -> None:
        start = time.perf_counter()
        self.ticks += 1
        try:
            snapshot = await asyncio.get_running_loop().run_in_executor(thread, self._system.tick)
            self._latest_s, self.problem = time.monotonic(), ""
            await self._publisher.publish(snapshot)
        except SourceEndedError as error:
            self.ended, self.problem = True, str(error)
            self._use(self._system.clock.with_changes(True, None))
            _log.info("system %s: %s", self._system.id, error)
        except Exception as error:
            self.failed += 1
            self.problem = str(error) if isinstance(error, SourceError) else INTERNAL
            _log.exception("a tick failed")
        duration_s = time.perf_counter() - start
        self.durations_s.append(duration_s)
        self._seconds.observe(duration_s)
