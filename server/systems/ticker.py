"""Drives the engine by the wall clock, off the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Histogram

from server.pipeline.snapshot import Run, Snapshot
from server.rpc.broadcast import Broadcaster
from server.systems.clock import Clock
from server.systems.run import LiveRun
from server.systems.system import Engine

REMEMBERED_TICKS = 100

_log = logging.getLogger(__name__)


class Ticker:
    """One tick per interval of simulated time, published to all subscribers.

    It goes by the event loop's clock, which no change of the wall clock moves. A tick that is late,
    because the machine slept or is too slow, is not made up for.

    Parameters
    ----------
    engine, broadcaster
        What is advanced, and who is told.
    seconds
        Takes the time of each tick.

    Attributes
    ----------
    ticks, failed
        How many there were, and how many of them failed.
    spent_s
        How long the last ones took.
    """

    def __init__(self, engine: Engine, broadcaster: Broadcaster, seconds: Histogram) -> None:
        self.ticks = self.failed = 0
        self.spent_s: deque[float] = deque(maxlen=REMEMBERED_TICKS)
        self._engine = engine
        self._broadcaster = broadcaster
        self._seconds = seconds
        self._ticking = asyncio.Lock()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Tick until cancelled. A tick that fails is logged, and the next one is tried."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        thread = ThreadPoolExecutor(1, thread_name_prefix="tick")
        try:
            while True:
                clock = self._engine.clock
                period_s = self._engine.latest.frame.interval_s / clock.speed
                next_due = max(due + period_s, loop.time())
                self._changed.clear()
                try:
                    async with asyncio.timeout_at(None if clock.paused else next_due):
                        await self._changed.wait()
                except TimeoutError:
                    async with self._ticking:
                        if self._engine.clock == clock:
                            due = next_due
                            await self._tick(thread)
        finally:
            thread.shutdown(wait=False)

    async def set_clock(self, paused: bool | None, speed: float | None) -> tuple[Clock, Snapshot]:
        """Change the clock, and tell all subscribers; gives it with the latest snapshot.

        A tick that goes on is waited for: none comes after a pause.

        Raises
        ------
        ServerError
            INVALID_FIELD, for an impossible speed.
        """
        self._engine.clock.changed(paused, speed)
        async with self._ticking:
            clock = self._engine.clock.changed(paused, speed)
            if clock != self._engine.clock:
                self._engine.clock = clock
                self._broadcaster.set_clock(clock)
                self._changed.set()
            return clock, self._engine.latest

    async def begin(self, live: LiveRun) -> Run:
        """Begin a run that was prepared, and tell all subscribers, between two ticks.

        Whoever asked for it may give up waiting: it is done as a whole, or not at all.
        """
        return await asyncio.shield(asyncio.create_task(self._begin(live)))

    async def _begin(self, live: LiveRun) -> Run:
        async with self._ticking:
            run = await asyncio.to_thread(self._engine.begin, live)
            await self._broadcaster.publish(self._engine.latest)
            return run

    async def _tick(self, thread: ThreadPoolExecutor) -> None:
        began = time.perf_counter()
        self.ticks += 1
        try:
            taken = await asyncio.get_running_loop().run_in_executor(thread, self._engine.tick)
            await self._broadcaster.publish(taken)
        except Exception:
            self.failed += 1
            _log.exception("a tick failed")
        spent_s = time.perf_counter() - began
        self.spent_s.append(spent_s)
        self._seconds.observe(spent_s)
