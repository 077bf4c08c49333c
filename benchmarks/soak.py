"""A simulated day: 24 hours at speed 100 with 50 subscribers, about a quarter of an hour.

`python -m benchmarks.soak` fails if memory grows, a snapshot is unaccounted for, or a tick fails.
`make soak` runs it, and sends 10,000 generated requests to every call.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import grpc
import numpy as np

from benchmarks.programs import Program, server
from sre_edge.v1 import chaos_service_pb2, chaos_service_pb2_grpc, fault_pb2
from sre_edge.v1 import simulation_service_pb2 as pb
from sre_edge.v1 import simulation_service_pb2_grpc as rpc
from tests.accounting import Account

SPEED, SUBSCRIBERS, PER_CONNECTION = 100.0, 50, 10
WARM_UP, SAMPLE_S, FAULT_EVERY_S = 0.25, 5.0, 3.0
MOST_GROWTH = 0.05
HISTORY_S = 18.0
"""After so long at this speed the history is full, and memory has no reason to grow."""


async def subscribe(channel: grpc.aio.Channel, account: Account) -> None:
    """Read one stream until cancelled, and account for every snapshot."""
    async for message in rpc.SimulationServiceStub(channel).StreamMetrics(
        pb.StreamMetricsRequest()
    ):
        kind = message.WhichOneof("message")
        if kind in ("snapshot", "gap"):
            account.add(getattr(message, kind))


async def trouble(channel: grpc.aio.Channel) -> None:
    """Inject a fault every now and then, of every kind in turn."""
    chaos = chaos_service_pb2_grpc.ChaosServiceStub(channel)
    for kind in itertools.cycle(fault_pb2.FaultKind.values()[1:]):
        surge = kind == fault_pb2.FAULT_KIND_TRAFFIC_SURGE
        request = chaos_service_pb2.InjectChaosRequest(
            target="api-gateway" if surge else "database", kind=kind
        )
        request.duration.FromSeconds(60)
        await chaos.InjectChaos(request)
        await asyncio.sleep(FAULT_EVERY_S)


async def soaked(program: Program, hours: float) -> tuple[list[float], list[Account]]:
    """Let a day pass; gives samples of memory in MB, and the accounts."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{program.port}", options=options)
        for _ in range(SUBSCRIBERS // PER_CONNECTION)
    ]
    accounts = [Account() for _ in range(SUBSCRIBERS)]
    tasks = [
        asyncio.create_task(subscribe(channels[i % len(channels)], account))
        for i, account in enumerate(accounts)
    ]
    tasks.append(asyncio.create_task(trouble(channels[0])))
    samples, ends = [], time.monotonic() + hours * 3600.0 / SPEED
    while time.monotonic() < ends:
        await asyncio.sleep(SAMPLE_S)
        samples.append(program.resident_mb)
        if ended := [task for task in tasks if task.done()]:
            ended[0].result()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for channel in channels:
        await channel.close()
    return samples, accounts


def verdict(
    samples: list[float], accounts: list[Account], figures: pb.GetServerInfoResponse
) -> bool:
    """Print what was seen; gives whether all is well."""
    warm = samples[max(int(WARM_UP * len(samples)), int(HISTORY_S / SAMPLE_S)) :]
    third = max(1, len(warm) // 3)
    early, late = float(np.median(warm[:third])), float(np.median(warm[-third:]))
    growth = late / early - 1.0
    holes = [hole for account in accounts for hole in account.holes]
    delivered = sum(account.delivered for account in accounts)
    lost = sum(account.lost for account in accounts)
    seen = figures.figures
    print(f"{figures.cursor.sequence:,} snapshots, {seen.failed_ticks} failed ticks")
    print(f"{delivered:,} delivered to {len(accounts)} subscribers, {lost:,} named in gaps, "
          f"{len(holes)} holes {holes[:3]}")  # fmt: skip
    print(f"memory: {early:.1f} MB after the warm-up, {late:.1f} MB at the end ({growth:+.1%}), "
          f"{min(warm):.1f} to {max(warm):.1f} MB in between")  # fmt: skip
    print(f"event loop: {1e3 * seen.loop_lag_seconds_p99:.1f} ms late at p99 of the last minute")
    return not holes and growth <= MOST_GROWTH and seen.failed_ticks == 0 and delivered > 0


@click.command()
@click.option("--hours", type=float, default=24.0, show_default=True, help="Simulated.")
def main(hours: float) -> None:
    """Let a simulated day pass, and look for leaks and losses."""
    with TemporaryDirectory() as name, server(Path(name), "--speed", str(SPEED)) as program:
        samples, accounts = asyncio.run(soaked(program, hours))
        with grpc.insecure_channel(f"127.0.0.1:{program.port}") as channel:
            figures = rpc.SimulationServiceStub(channel).GetServerInfo(pb.GetServerInfoRequest())
    sys.exit(0 if verdict(samples, accounts, figures) else 1)


if __name__ == "__main__":
    main()
