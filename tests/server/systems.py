"""Systems files and calls about systems, as tests make them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sre_edge.v1 import system_pb2, system_service_pb2
from tests.server.stubs import Stubs

TWO = """
systems:
  - id: shop-eu
    name: Shop, Europe
    source: {kind: simulation, topology: default, seed: 3, speed: 20}
    labels: {cluster: eu}
  - id: shop-us
    source: {kind: simulation, topology: boutique, speed: 20}
"""
LIVE, FAILED = system_pb2.SYSTEM_STATE_LIVE, system_pb2.SYSTEM_STATE_FAILED
STALE = system_pb2.SYSTEM_STATE_STALE


def systems_file(folder: Path, text: str = TWO) -> Path:
    path = folder / "systems.yaml"
    path.write_text(text)
    return path


async def listed(stubs: Stubs) -> dict[str, system_pb2.System]:
    answer = await stubs.system.ListSystems(system_service_pb2.ListSystemsRequest())
    return {one.id: one for one in answer.systems}


async def state(stubs: Stubs, system: str, wanted: int) -> system_pb2.System:
    async with asyncio.timeout(30):
        while (found := (await listed(stubs))[system]).state != wanted:
            await asyncio.sleep(0.05)
    return found


async def add(stubs: Stubs, entry: str) -> system_pb2.System:
    request = system_service_pb2.AddSystemRequest(entry=entry)
    return (await stubs.system.AddSystem(request)).system


async def remove(stubs: Stubs, system: str) -> bool:
    """Remove a system; gives whether one of its id is still watched."""
    request = system_service_pb2.RemoveSystemRequest(system=system)
    return (await stubs.system.RemoveSystem(request)).still_watched
