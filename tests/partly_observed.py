"""A system that monitoring sees in part: a script, and a server of it for clients of any language.

Of `edge` all is fresh. Of `cart` no requests have ever been observed, of `store` nothing. What is
known of `mail`'s requests is 4 s old, what is known of `till` 12 s.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from server.app import App, start
from server.settings import Settings
from server.sources.scripted import ScriptedFactory, ScriptedFrame
from telemetry.frame import Age, Frame
from telemetry.graph import FloatArray
from telemetry.metrics import SERVICE_METRICS, Kind
from tests.server.pipeline.frames import HEALTHY, frame, system

GRAPH = system(
    {"edge": ["cart", "mail"], "cart": ["store"], "store": [], "mail": [], "till": ["cart"]}
)
NEVER = float("nan")
REQUESTS_S = {"cart": NEVER, "store": NEVER, "mail": 4.0, "till": 12.0}
RESOURCES_S = {"store": NEVER, "till": 12.0}
CALLS_S = {("edge", "mail"): 8.0, ("cart", "store"): NEVER}
STATUSES = {
    "edge": "STATUS_HEALTHY", "cart": "STATUS_HEALTHY", "store": "STATUS_UNKNOWN",
    "mail": "STATUS_HEALTHY", "till": "STATUS_UNKNOWN",
}  # fmt: skip


def _age() -> Age:
    ends = zip(GRAPH.caller.tolist(), GRAPH.callee.tolist(), strict=True)
    calls = [(GRAPH.names[caller], GRAPH.names[callee]) for caller, callee in ends]
    return Age(
        requests_s=np.array([[REQUESTS_S.get(name, 0.0) for name in GRAPH.names]]),
        resources_s=np.array([[RESOURCES_S.get(name, 0.0) for name in GRAPH.names]]),
        edges_s=np.array([[CALLS_S.get(ends, 0.0) for ends in calls]]),
    )


def shown() -> Frame:
    """Give a frame, with NaN where a kind of value has never been observed."""
    age = _age()
    whole = frame(0, names=GRAPH.names, calls=GRAPH.edges)
    calls = {
        "edge_call_rate_rps": 50.0, "edge_error_rate_percent": 0.0, "edge_latency_ms": 12.0
    }  # fmt: skip
    by_kind: dict[Kind, FloatArray] = {
        Kind.REQUESTS: age.requests_s, Kind.RESOURCES: age.resources_s
    }  # fmt: skip
    values = {
        metric.field: np.where(np.isnan(by_kind[metric.kind]), np.nan, HEALTHY[metric.name])
        for metric in SERVICE_METRICS
    }
    values |= {
        name: np.where(np.isnan(age.edges_s), np.nan, value) for name, value in calls.items()
    }
    return replace(whole, age=age, **values)


SCRIPT = ScriptedFactory((ScriptedFrame(GRAPH, shown()),), past=60)


@contextmanager
def server(folder: Path) -> Iterator[App]:
    """Run a server of it in a thread of its own, for clients that block or are other programs."""
    ready = threading.Event()
    running: list[tuple[App, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        settings = Settings(
            listen="127.0.0.1:0", metrics_listen="127.0.0.1:0", data=folder, speed=10.0
        )
        app = await start(settings, SCRIPT)
        done = asyncio.Event()
        running.append((app, asyncio.get_running_loop(), done))
        ready.set()
        await done.wait()
        await app.stop()

    def run_all() -> None:
        try:
            asyncio.run(run())
        finally:
            ready.set()  # whoever waits sees that none is running

    thread = threading.Thread(target=run_all, daemon=True)
    thread.start()
    ready.wait()
    app, loop, done = running[0]
    try:
        yield app
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
