"""What a server says of itself."""

from __future__ import annotations

from importlib.metadata import version

import grpc

from sre_edge.v1 import simulation_service_pb2 as pb
from tests.conftest import StartServer
from tests.server.stubs import Stubs


async def test_it_says_what_it_is_what_it_allows_and_how_it_fares(
    start_server: StartServer,
) -> None:
    app = await start_server(max_streams=3, max_faults=7, history=50)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stubs = Stubs(channel)
        stream = stubs.simulation.StreamMetrics(pb.StreamMetricsRequest())
        for _ in range(4):
            await stream.read()
        info = await stubs.simulation.GetServerInfo(pb.GetServerInfoRequest())
        stream.cancel()
    assert info.version == version("sre-edge")
    latest = app.only.system.latest.forecast
    assert latest is not None
    assert info.model_version == latest.model_version
    assert info.cursor.run_id == app.only.system.run.id
    assert (info.limits.streams, info.limits.faults, info.limits.history) == (3, 7, 50)
    assert (info.figures.streams, info.figures.event_streams) == (1, 0)
    assert info.figures.lost_records == 0
    assert info.figures.ticks >= 3
    assert info.figures.failed_ticks == 0
    assert 0 < info.figures.tick_seconds_mean <= info.figures.tick_seconds_max
    assert info.figures.loop_lag_seconds_p99 <= info.figures.loop_lag_seconds_max
    assert info.store.endswith("store.sqlite3")
    assert info.figures.uptime.ToTimedelta().total_seconds() > 0
