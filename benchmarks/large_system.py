"""10,000 services: how long a whole tick takes, and how late the event loop is meanwhile."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.programs import server
from benchmarks.subscribers import topology
from sre_edge.v1 import simulation_service_pb2 as pb
from sre_edge.v1 import simulation_service_pb2_grpc as rpc

SERVICES, MEASURE_S, EVERY_S = 10_000, 60.0, 0.05
MOST_TICK_S, MOST_LAG_S = 0.4, 0.05


def main() -> None:
    """Print all figures."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        system = topology(directory, SERVICES)
        options = [("grpc.max_receive_message_length", 64 << 20)]
        with (
            server(directory / "data", "--topology", str(system)) as program,
            grpc.insecure_channel(f"127.0.0.1:{program.port}", options=options) as channel,
        ):
            simulation = rpc.SimulationServiceStub(channel)
            health = health_pb2_grpc.HealthStub(channel)
            stream = simulation.StreamMetrics(pb.StreamMetricsRequest())
            next(stream)  # somebody watches, so that snapshots are encoded
            asked_s, ends = [], time.monotonic() + MEASURE_S
            while time.monotonic() < ends:
                began = time.perf_counter()
                health.Check(health_pb2.HealthCheckRequest())
                asked_s.append(time.perf_counter() - began)
                time.sleep(EVERY_S)
            figures = simulation.GetServerInfo(pb.GetServerInfoRequest()).figures
            resident_mb = program.resident_mb
            stream.cancel()
    print(f"{SERVICES:,} services, {figures.ticks} ticks, {resident_mb:,.0f} MB")
    print(f"a health check meanwhile, p99: {1e3 * float(np.percentile(asked_s, 99)):.1f} ms")
    for text, value, limit in (
        ("a whole tick, mean", figures.tick_seconds_mean, MOST_TICK_S),
        ("the event loop is late, p99", figures.loop_lag_seconds_p99, MOST_LAG_S),
    ):
        verdict = "met" if value <= limit else "NOT met"
        print(f"{text:<28} {1e3 * value:7.1f} ms (limit {1e3 * limit:.0f}: {verdict})")
    print(f"the longest tick: {1e3 * figures.tick_seconds_max:.1f} ms")


if __name__ == "__main__":
    main()
