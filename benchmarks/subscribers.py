"""Up to 1,000 subscribers of a system of 100 services: CPU, memory, and how soon they are told.

`python -m benchmarks.subscribers` prints its figures.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import grpc
import numpy as np

from benchmarks.figures import Curve, Part, limited, progress
from benchmarks.programs import Program, server
from benchmarks.report import show
from sre_edge.v1 import simulation_service_pb2 as pb

SERVICES, PER_CONNECTION, INTERVAL_S = 100, 100, 2.0
SUBSCRIBERS = (1, 100, 300, 1000)
SETTLE_S, WINDOW_S, WINDOWS = 6.0, 10.0, 4
QUICK_SETTLE_S, QUICK_WINDOW_S = 2.0, 4.0  # a tick or two
MAX_CORE, MAX_DELAY_S, MAX_MB = 0.15, 0.25, 300.0
PATH = "/sre_edge.v1.SimulationService/StreamMetrics"


class Crowd:
    """Subscribers in this process, and when each snapshot reached them."""

    def __init__(self) -> None:
        self.measuring = False
        self.delays_s: list[float] = []
        self._produced: dict[bytes, float] = {}  # all get the same bytes: decoded once

    async def subscribe(self, channel: grpc.aio.Channel) -> None:
        """Read one stream until cancelled."""
        stream = channel.unary_stream(PATH)(pb.StreamMetricsRequest().SerializeToString())
        async for data in stream:
            now = time.time()
            if not self.measuring:
                continue
            produced = self._produced.get(data)
            if produced is None:
                message = pb.StreamMetricsResponse.FromString(data)
                if not message.HasField("snapshot"):
                    continue  # a heartbeat, of a tick that is late
                produced = message.snapshot.produced_time.ToNanoseconds() / 1e9
                self._produced = {data: produced}
            self.delays_s.append(now - produced)


class DeliveryWindow(NamedTuple):
    """What some seconds were like: the share of a core that the server took, its memory, delays."""

    core: float
    resident_mb: float
    delays_s: list[float]


async def watched(
    program: Program, subscribers: int, windows: int, settle_s: float, window_s: float
) -> list[DeliveryWindow]:
    """Let so many watch, and measure windows of `window_s`."""
    crowd = Crowd()
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{program.port}", options=options)
        for _ in range(0, subscribers, PER_CONNECTION)
    ]
    tasks = [
        asyncio.create_task(crowd.subscribe(channels[number // PER_CONNECTION]))
        for number in range(subscribers)
    ]
    await asyncio.sleep(settle_s)
    crowd.measuring = True
    found = []
    for _ in range(windows):
        crowd.delays_s = []
        before, began = program.cpu_s, time.perf_counter()
        await asyncio.sleep(window_s)
        core = (program.cpu_s - before) / (time.perf_counter() - began)
        found.append(DeliveryWindow(core, program.resident_mb, crowd.delays_s))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for channel in channels:
        await channel.close()
    return found


def topology(directory: Path, services: int) -> Path:
    """Write a random system of so many services."""
    path = directory / "topology.json"
    command = [sys.executable, "-m", "simulator", "generate", "--services", str(services)]
    subprocess.run([*command, "--out", str(path)], check=True)
    return path


def measure(*, quick: bool = False) -> Part:
    """Measure crowds of several sizes, each with a server of its own."""
    cores: list[tuple[float, float]] = []
    memories: list[tuple[float, float]] = []
    crowds, windows = (SUBSCRIBERS[1:3], 1) if quick else (SUBSCRIBERS, WINDOWS)
    settle_s, window_s = (QUICK_SETTLE_S, QUICK_WINDOW_S) if quick else (SETTLE_S, WINDOW_S)
    with TemporaryDirectory() as name:
        directory = Path(name)
        system = topology(directory, SERVICES)
        for subscribers in crowds:
            progress(f"subscribers: {subscribers:,}")
            with server(directory / f"{subscribers}", "--topology", str(system)) as program:
                found = asyncio.run(watched(program, subscribers, windows, settle_s, window_s))
            core = [window.core for window in found]
            memory = [window.resident_mb for window in found]
            cores.append((float(subscribers), float(np.median(core))))
            memories.append((float(subscribers), float(np.median(memory))))
    setting = f"{subscribers:,} subscribers of {SERVICES} services"
    delays = [float(np.percentile(window.delays_s, 99)) for window in found]
    expected = subscribers * window_s / INTERVAL_S * windows
    delivered = sum(len(window.delays_s) for window in found)
    return Part(
        "Many subscribers",
        [
            limited(f"CPU, {setting}", core, "of a core", MAX_CORE),
            limited(f"p99 from the tick to them, {setting}", delays, "s", MAX_DELAY_S),
            limited(f"memory, {setting}", memory, "MB", MAX_MB),
        ],
        [
            Curve("CPU of the server", "share of a core", "subscribers", tuple(cores)),
            Curve("memory of the server", "MB", "subscribers", tuple(memories)),
        ],
        [f"{delivered:,} snapshots came of {expected:,.0f} expected; windows begin and end "
         "anywhere between two ticks."],
    )  # fmt: skip


if __name__ == "__main__":
    show(measure())
