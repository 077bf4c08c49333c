"""Up to 10,000 services: how long a whole tick takes, and how late the event loop is meanwhile.

`python -m benchmarks.large_system` prints its figures.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.figures import Curve, Part, limited, progress
from benchmarks.programs import server
from benchmarks.report import show
from benchmarks.subscribers import topology
from sre_edge.v1 import simulation_service_pb2 as pb
from sre_edge.v1 import simulation_service_pb2_grpc as rpc

SERVICES, WINDOW_S, WINDOWS, EVERY_S = (100, 1000, 3000, 10_000), 15.0, 4, 0.05
QUICK_WINDOW_S = 3.0  # a tick or two
MAX_TICK_S, MAX_LAG_S = 0.4, 0.05


class TickWindow(NamedTuple):
    """What some seconds were like: mean tick, the loop's delay and a health check at p99."""

    tick_s: float
    lag_s: float
    check_s: float
    resident_mb: float


def watched(directory: Path, services: int, windows: int, window_s: float) -> list[TickWindow]:
    """Run a server of so many services that somebody watches, and measure windows of it."""
    system = topology(directory, services)
    options = [("grpc.max_receive_message_length", 64 << 20)]
    found: list[TickWindow] = []
    with (
        server(directory / f"{services}", "--topology", str(system)) as program,
        grpc.insecure_channel(f"127.0.0.1:{program.port}", options=options) as channel,
    ):
        simulation = rpc.SimulationServiceStub(channel)
        health = health_pb2_grpc.HealthStub(channel)
        stream = simulation.StreamMetrics(pb.StreamMetricsRequest())
        next(stream)  # so that snapshots are encoded
        ticks, spent_s = 0, 0.0
        for _ in range(windows):
            checks, ends = [], time.monotonic() + window_s
            while time.monotonic() < ends:
                began = time.perf_counter()
                health.Check(health_pb2.HealthCheckRequest())
                checks.append(time.perf_counter() - began)
                time.sleep(EVERY_S)
            figures = simulation.GetServerInfo(pb.GetServerInfoRequest()).figures
            all_s = figures.ticks * figures.tick_seconds_mean  # it remembers more than these
            found.append(
                TickWindow(
                    (all_s - spent_s) / (figures.ticks - ticks),
                    figures.loop_lag_seconds_p99,
                    float(np.percentile(checks, 99)),
                    program.resident_mb,
                )
            )
            ticks, spent_s = figures.ticks, all_s
        stream.cancel()
    return found


def measure(*, quick: bool = False) -> Part:
    """Measure systems of several sizes, each with a server of its own."""
    points = []
    sizes, windows = (SERVICES[:2], 1) if quick else (SERVICES, WINDOWS)
    window_s = QUICK_WINDOW_S if quick else WINDOW_S
    for services in sizes:
        progress(f"large system: {services:,} services")
        last = services == sizes[-1]
        with TemporaryDirectory() as name:
            count = windows if last else max(1, windows // 2)
            found = watched(Path(name), services, count, window_s)
        points.append((float(services), 1e3 * float(np.median([one.tick_s for one in found]))))
    checks = 1e3 * float(np.median([one.check_s for one in found]))
    return Part(
        "A large system, live",
        [
            limited(f"a whole tick, {services:,} services",
                    [1e3 * one.tick_s for one in found], "ms", 1e3 * MAX_TICK_S),
            limited(f"the event loop is late, p99, {services:,} services",
                    [1e3 * one.lag_s for one in found], "ms", 1e3 * MAX_LAG_S),
        ],
        [Curve("a whole tick of the server", "ms", "services", tuple(points))],
        [f"A health check beside them: {checks:.1f} ms at p99; {found[-1].resident_mb:,.0f} MB."],
    )  # fmt: skip


if __name__ == "__main__":
    show(measure())
