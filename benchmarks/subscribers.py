"""1,000 subscribers of a system of 100 services: CPU, memory, and how soon they are told."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import numpy as np

from benchmarks.programs import server
from sre_edge.v1 import simulation_service_pb2 as pb

SERVICES, SUBSCRIBERS, PER_CONNECTION = 100, 1000, 100
SETTLE_S, MEASURE_S = 6.0, 40.0
MOST_CORE, MOST_DELAY_S, MOST_MB = 0.15, 0.25, 300.0
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
                produced = message.snapshot.produced_time.ToNanoseconds() / 1e9
                self._produced = {data: produced}
            self.delays_s.append(now - produced)


async def watched(port: int, program: object) -> tuple[list[float], float, float]:
    """Let the crowd watch; gives delays, CPU as a share of one core, and memory in MB."""
    crowd = Crowd()
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
        for _ in range(SUBSCRIBERS // PER_CONNECTION)
    ]
    tasks = [
        asyncio.create_task(crowd.subscribe(channel))
        for channel in channels
        for _ in range(PER_CONNECTION)
    ]
    await asyncio.sleep(SETTLE_S)
    crowd.measuring = True
    before, began = program.cpu_s, time.perf_counter()  # type: ignore[attr-defined]
    await asyncio.sleep(MEASURE_S)
    core = (program.cpu_s - before) / (time.perf_counter() - began)  # type: ignore[attr-defined]
    resident_mb = program.resident_mb  # type: ignore[attr-defined]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for channel in channels:
        await channel.close()
    return crowd.delays_s, core, resident_mb


def topology(directory: Path, services: int) -> Path:
    """Write a random system of so many services."""
    path = directory / "topology.json"
    command = [sys.executable, "-m", "simulator", "generate", "--services", str(services)]
    subprocess.run([*command, "--out", str(path)], check=True)
    return path


def main() -> None:
    """Print all figures."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        system = topology(directory, SERVICES)
        with server(directory / "data", "--topology", str(system)) as program:
            delays, core, resident_mb = asyncio.run(watched(program.port, program))
    p99 = float(np.percentile(delays, 99))
    expected = SUBSCRIBERS * MEASURE_S / 2.0
    print(f"{SUBSCRIBERS} subscribers of {SERVICES} services, {len(delays):,} deliveries "
          f"of {expected:,.0f} expected")  # fmt: skip
    for text, value, limit, unit in (
        ("CPU", 100.0 * core, 100.0 * MOST_CORE, "% of one core"),
        ("p99 from the tick to the subscriber", 1e3 * p99, 1e3 * MOST_DELAY_S, "ms"),
        ("memory", resident_mb, MOST_MB, "MB"),
    ):
        verdict = "met" if value <= limit else "NOT met"
        print(f"{text:<36} {value:8.1f} {unit} (limit {limit:.0f}: {verdict})")


if __name__ == "__main__":
    main()
