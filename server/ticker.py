"""Drives the engine by the wall clock, off the event loop."""

from __future__ import annotations

import asyncio
import logging
import time

from prometheus_client import Histogram

from server.engine import Engine
from server.rpc.broadcast import Broadcaster

_log = logging.getLogger(__name__)


class Ticker:
    """One tick per interval of simulated time, published to all subscribers.

    Parameters
    ----------
    engine, broadcaster
        What is advanced, and who is told.
    speed
        Simulated seconds per second.
    seconds
        Takes the time of each tick.
    """

    def __init__(
        self, engine: Engine, broadcaster: Broadcaster, speed: float, seconds: Histogram
    ) -> None:
        self._engine = engine
        self._broadcaster = broadcaster
        self._speed = speed
        self._seconds = seconds

    async def run(self) -> None:
        """Tick until cancelled. A tick that fails is logged, and the next one is tried."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            period_s = self._engine.latest.frame.interval_s / self._speed
            due = max(due + period_s, loop.time())
            await asyncio.sleep(due - loop.time())
            began = time.perf_counter()
            try:
                taken = await asyncio.to_thread(self._engine.tick)
                await self._broadcaster.publish(taken)
            except Exception:
                _log.exception("a tick failed")
            self._seconds.observe(time.perf_counter() - began)
