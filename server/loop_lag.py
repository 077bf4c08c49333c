"""Lag of the event loop: how long calls and streams wait before they run."""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np
from prometheus_client import CollectorRegistry, Histogram

SAMPLE_EVERY_S = 0.05
MAX_SAMPLES = round(60.0 / SAMPLE_EVERY_S)


class LoopLag:
    """Sleeps, and measures how much later than planned it wakes up; `run` it in the loop.

    Attributes
    ----------
    seconds
        Lags of the last minute.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds: deque[float] = deque(maxlen=MAX_SAMPLES)
        self._histogram = Histogram(
            "sre_edge_loop_lag_seconds",
            "How late the event loop ran a timer.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
            registry=registry,
        )

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_EVERY_S
            await asyncio.sleep(SAMPLE_EVERY_S)
            lag_s = max(0.0, loop.time() - due)
            self.seconds.append(lag_s)
            self._histogram.observe(lag_s)

    def percentile(self, percent: float) -> float:
        """Percentile of the lags of the last minute, seconds."""
        return float(np.percentile(self.seconds, percent)) if self.seconds else 0.0
