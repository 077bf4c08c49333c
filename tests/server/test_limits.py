"""How much may go on at a time, and that the next one is told so."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from sre_edge.v1 import simulation_service_pb2 as pb
from tests.conftest import StartServer
from tests.server.stubs import Stubs, reason

OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


async def test_calls_are_limited_and_the_server_goes_on(start_server: StartServer) -> None:
    app = await start_server(max_calls=3)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stubs = Stubs(channel)
        answers = await asyncio.gather(
            *(stubs.simulation.Reset(pb.ResetRequest()) for _ in range(10)),
            return_exceptions=True,
        )
        refused = [a for a in answers if isinstance(a, grpc.aio.AioRpcError)]
        assert len(refused) == 7
        for error in refused:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert reason(error)[:2] == ("TOO_MANY_CALLS", {"limit": "3"})
        assert await stubs.snapshot()


async def test_streams_of_one_connection_are_limited(start_server: StartServer) -> None:
    app = await start_server(max_streams_per_connection=2)
    async with (
        grpc.aio.insecure_channel(app.address) as one,
        grpc.aio.insecure_channel(app.address, options=OWN_CONNECTION) as other,
    ):  # fmt: skip
        open_streams = []
        for channel in (one, one, other):
            stream = Stubs(channel).simulation.StreamMetrics(pb.StreamMetricsRequest())
            await stream.read()
            open_streams.append(stream)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await Stubs(one).simulation.StreamMetrics(pb.StreamMetricsRequest()).read()
        assert reason(caught.value)[:2] == ("TOO_MANY_STREAMS", {"limit": "2"})
        for stream in open_streams:
            stream.cancel()


async def test_a_message_that_is_too_large_is_refused(stubs: Stubs) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.simulation.Reset(pb.ResetRequest(topology="x" * (2 << 20)))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await stubs.snapshot()
