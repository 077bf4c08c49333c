"""A simulated day: 24 hours at speed 100 with 50 subscribers, about a quarter of an hour.

`python -m benchmarks.soak` fails if memory grows, a snapshot or an event is unaccounted for, a
record is lost, or a tick fails.
`make soak` runs it, and sends 10,000 generated requests to every call.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import grpc
import numpy as np

from benchmarks.programs import Program, server
from sre_edge.v1 import (
    chaos_service_pb2,
    chaos_service_pb2_grpc,
    fault_pb2,
    incident_service_pb2,
    incident_service_pb2_grpc,
)
from sre_edge.v1 import simulation_service_pb2 as pb
from sre_edge.v1 import simulation_service_pb2_grpc as rpc
from tests.accounting import Account

SPEED, INTERVAL_S = 100.0, 2.0
SUBSCRIBERS, READERS, PER_CONNECTION = 50, 5, 11
WARM_UP, SAMPLE_S, FAULT_EVERY_S = 0.25, 5.0, 1.0
MAX_GROWTH, SHOWN = 0.05, 12

Streams = Callable[[grpc.aio.Channel], Any]


def snapshots(channel: grpc.aio.Channel) -> Any:
    """Open a stream of snapshots."""
    return rpc.SimulationServiceStub(channel).StreamMetrics(pb.StreamMetricsRequest())


def events(channel: grpc.aio.Channel) -> Any:
    """Open a stream of events."""
    request = incident_service_pb2.StreamEventsRequest()
    return incident_service_pb2_grpc.IncidentServiceStub(channel).StreamEvents(request)


async def follow(streams: Streams, channel: grpc.aio.Channel, account: Account) -> None:
    """Read one stream until cancelled, and account for all that it numbers."""
    async for message in streams(channel):
        kind = message.WhichOneof("message")
        if kind in ("snapshot", "event", "gap"):
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


async def soaked(program: Program, hours: float) -> tuple[list[float], dict[str, list[Account]]]:
    """Let simulated hours pass; gives samples of memory in MB, and the accounts."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{program.port}", options=options)
        for _ in range((SUBSCRIBERS + READERS) // PER_CONNECTION)
    ]
    accounts = {
        "snapshots": [Account() for _ in range(SUBSCRIBERS)],
        "events": [Account() for _ in range(READERS)],
    }
    following = [(snapshots, one) for one in accounts["snapshots"]]
    following += [(events, one) for one in accounts["events"]]
    tasks = [
        asyncio.create_task(follow(streams, channel, account))
        for (streams, account), channel in zip(following, itertools.cycle(channels), strict=False)
    ]
    tasks.append(asyncio.create_task(trouble(channels[0])))
    samples: list[float] = []
    while accounts["snapshots"][0].last * INTERVAL_S < 3600.0 * hours:
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


def passed(name: str, accounts: list[Account]) -> bool:
    """Print what became of all that a kind of stream numbers; gives whether all is well."""
    holes = [hole for account in accounts for hole in account.holes]
    delivered = sum(account.delivered for account in accounts)
    lost = sum(account.lost for account in accounts)
    print(f"{name}: the last has number {max(one.last for one in accounts):,}; {delivered:,} came "
          f"to {len(accounts)} readers, {lost:,} were named in gaps, "
          f"{len(holes)} unaccounted for {holes[:3]}")  # fmt: skip
    return not holes and all(account.delivered for account in accounts)


def flat(samples: list[float]) -> bool:
    """Print how memory went; gives whether it grew no more than it may."""
    step = max(1, len(samples) // SHOWN)
    means = [np.mean(samples[first : first + step]) for first in range(0, len(samples), step)]
    curve = " ".join(f"{mean:.1f}" for mean in means)
    warm = samples[int(WARM_UP * len(samples)) :]
    third = max(1, len(warm) // 3)
    early, late = float(np.median(warm[:third])), float(np.median(warm[-third:]))
    growth = late / early - 1.0
    print(f"memory, MB, mean of each twelfth: {curve}")
    print(f"{early:.1f} MB after the warm-up, {late:.1f} MB in the last third ({growth:+.1%}), "
          f"{min(warm):.1f} to {max(warm):.1f} MB in between")  # fmt: skip
    return growth <= MAX_GROWTH


@click.command()
@click.option("--hours", type=float, default=24.0, show_default=True, help="Simulated.")
def main(hours: float) -> None:
    """Let a simulated day pass, and look for leaks and losses."""
    with TemporaryDirectory() as name, server(Path(name), "--speed", str(SPEED)) as program:
        samples, accounts = asyncio.run(soaked(program, hours))
        with grpc.insecure_channel(f"127.0.0.1:{program.port}") as channel:
            answer = rpc.SimulationServiceStub(channel).GetServerInfo(pb.GetServerInfoRequest())
    live = answer.figures
    print(f"{live.ticks:,} ticks in {live.uptime.seconds} s, {live.failed_ticks} failed, "
          f"{live.lost_records} records lost; "
          f"event loop {1e3 * live.loop_lag_seconds_p99:.1f} ms late at p99 of the last minute"
    )  # fmt: skip
    verdicts = [passed(name, found) for name, found in accounts.items()]
    verdicts += [flat(samples), live.failed_ticks == 0, live.lost_records == 0]
    sys.exit(0 if all(verdicts) else 1)


if __name__ == "__main__":
    main()
