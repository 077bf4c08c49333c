"""A deadline is kept by every kind of call, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from server.app import App
from sre_edge.v1 import incident_service_pb2, simulation_service_pb2
from tests.server.chaos_calls import KILL
from tests.server.stubs import Stubs, drained, wait_for

Open = Callable[[Stubs], Any]


def of_metrics(calls: Stubs) -> Any:
    return calls.simulation.StreamMetrics(
        simulation_service_pb2.StreamMetricsRequest(), timeout=0.5
    )


def of_events(calls: Stubs) -> Any:
    return calls.incident.StreamEvents(incident_service_pb2.StreamEventsRequest(), timeout=0.5)


@pytest.mark.parametrize("opened", [of_metrics, of_events])
async def test_a_stream_ends_at_its_deadline_and_leaves_nothing(
    still: App, calls: Stubs, opened: Open
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await drained(opened(calls))
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await wait_for(lambda: still.only.broadcaster.streams + still.only.feed.streams == 0)


async def test_a_fault_whose_caller_gave_up_and_asks_again_is_injected_once(
    still: App, calls: Stubs
) -> None:
    asked = {**KILL, "request_id": "game-day"}
    with still.only.system._lock:  # a long tick
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(calls.inject(timeout=0.3, **asked), 30.0)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert (await calls.snapshot()).active_faults == []
    fault = await calls.inject(**asked)
    still.only.system.tick()
    assert [active.id for active in (await calls.snapshot()).active_faults] == [fault.id]


async def test_other_calls_answer_while_one_waits_for_the_engine(still: App, calls: Stubs) -> None:
    with still.only.system._lock:
        waiting = asyncio.create_task(calls.inject(**KILL))
        await asyncio.sleep(0.1)
        assert (await calls.snapshot()).cursor.run_id == still.only.system.run.id
        assert not waiting.done()
    assert (await waiting).id
