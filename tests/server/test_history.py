"""Looking back: peaks stay, gaps stay gaps, and limits hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.json_format import ParseDict

from server.systems.history import HistoryQuery, _reduced, series
from sre_edge.v1 import simulation_service_pb2 as pb
from tests.conftest import StartServer
from tests.server.stubs import SERVICES, Stubs, reason, sharing, violations


async def asked(stubs: Stubs, **fields: Any) -> pb.QueryHistoryResponse:
    return await stubs.simulation.QueryHistory(ParseDict(fields, pb.QueryHistoryRequest()))


def reduced_slowly(values: list[float], per_bucket: int) -> list[tuple[float, ...]]:
    """Reduce the values of one series, as anyone would write it."""
    found = []
    for start in range(0, len(values), per_bucket):
        seen = [v for v in values[start : start + per_bucket] if v == v]
        gap = (float("nan"),) * 4
        found.append((min(seen), max(seen), sum(seen) / len(seen), seen[-1]) if seen else gap)
    return found


@pytest.mark.parametrize("ticks", [1, 7, 40])
@pytest.mark.parametrize("per_bucket", [1, 3, 10])
def test_buckets_are_those_of_the_slow_way_with_gaps(ticks: int, per_bucket: int) -> None:
    rng = np.random.default_rng(ticks)
    values = rng.normal(size=(ticks, 2, 3))
    values[rng.random(values.shape) < 0.6] = np.nan
    fast = _reduced(values, per_bucket)
    for m in range(2):
        for s in range(3):
            expected = np.array(reduced_slowly(values[:, m, s].tolist(), per_bucket))
            got = np.stack([part[:, m, s] for part in fast], axis=1)
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


async def test_a_peak_survives_whatever_the_number_of_points(start_server: StartServer) -> None:
    app = await start_server(speed=0.1)
    for _ in range(120):
        app.only.system.tick()
    history = app.only.system.history()
    peak = max(taken.frame.latency_ms[0, 3] for taken in history)
    async with grpc.aio.insecure_channel(app.address) as channel:
        for points in (1, 7, 2000):
            found = await asked(
                Stubs(channel), services=["database"], metrics=["latency_ms"], max_points=points
            )
            (line,) = found.series
            assert len(line.maximum) <= points
            assert max(line.maximum) == peak
            assert found.bucket_seconds * len(line.maximum) >= 2.0 * len(history)
            assert line.last[-1] == history[-1].frame.latency_ms[0, 3]


async def test_a_time_range_is_half_open_and_series_come_in_order(
    start_server: StartServer,
) -> None:
    app = await start_server(speed=0.1)
    for _ in range(20):
        app.only.system.tick()
    history = app.only.system.history()
    query = HistoryQuery(("user-service", "api-gateway"), ("cpu_percent", "incident_probability"),
                  history[5].time, history[9].time)  # fmt: skip
    found = series(history, query)
    assert found.start_time == history[5].time
    assert found.services == (0, 2)
    assert found.mean.shape == (4, 2, 2)
    assert found.mean[0, 0, 1] == history[5].frame.cpu_percent[0, 2]
    forecast = history[8].forecast
    assert forecast is not None
    assert found.mean[3, 1, 0] == forecast.probability[0]
    nothing = series(history, HistoryQuery((), ("cpu_percent",), history[-1].end_time, None))
    assert nothing.start_time is None
    assert nothing.mean.shape == (0, 1, 4)


async def test_a_service_that_was_down_leaves_a_gap(stubs: Stubs) -> None:
    await stubs.inject(target="database", kind="FAULT_KIND_SERVICE_KILL", duration="3600s")
    down = await stubs.until(lambda s: np.isnan(s.services[3].cpu_percent))
    found = await asked(stubs, services=["database"], metrics=["cpu_percent"], max_points=2000)
    place = down.cursor.sequence - 1
    assert np.isnan(found.series[0].mean[place])
    assert np.isfinite(found.series[0].mean[0])


@sharing
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, {"metrics"}),
        ({"metrics": ["cpu"]}, {"metrics"}),
        ({"metrics": ["cpu_percent"], "max_points": 2001}, {"max_points"}),
        ({"metrics": ["cpu_percent"], "start_time": "2030-01-01T00:00:00Z",
          "end_time": "2030-01-01T00:00:00Z"}, {"end_time"}),
    ],
)  # fmt: skip
async def test_an_impossible_query_names_its_field(
    shared: Stubs, fields: dict[str, Any], wrong: set[str]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asked(shared, **fields)
    assert set(violations(caught.value)) == wrong


@sharing
async def test_too_many_values_are_refused(shared: Stubs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.systems.history.MAX_VALUES", 3)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asked(shared, metrics=["cpu_percent"])
    assert "4 services x 1 metrics" in violations(caught.value)["max_points"]


async def test_metrics_of_a_past_time_are_those_that_were_sent(start_server: StartServer) -> None:
    app = await start_server(speed=0.1, history=10)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stubs = Stubs(channel)
        for _ in range(4):
            app.only.system.tick()
        then = await stubs.snapshot()
        for _ in range(6):
            app.only.system.tick()
        request = pb.GetMetricsRequest(time=then.time)
        assert (await stubs.simulation.GetMetrics(request)).snapshot == then
        request.time.FromDatetime(then.time.ToDatetime() + timedelta(seconds=1.999))
        assert (await stubs.simulation.GetMetrics(request)).snapshot.cursor == then.cursor
        for hours in (-1, 1):
            request.time.FromDatetime(then.time.ToDatetime() + timedelta(hours=hours))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stubs.simulation.GetMetrics(request)
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND
            name, metadata, _ = reason(caught.value)
            assert name == "NOT_IN_HISTORY"
            assert metadata["oldest"] == app.only.system.history()[0].time.isoformat()


async def test_the_past_keeps_what_is_shown_and_not_what_the_model_saw(
    start_server: StartServer,
) -> None:
    app = await start_server(speed=0.1, history=5)
    for _ in range(8):
        app.only.system.tick()
    *past, latest = app.only.system.history()
    assert len(past) == 4
    assert latest.forecast is not None
    assert len(latest.forecast.features) == len(SERVICES)
    for taken in past:
        assert taken.forecast is not None
        assert not taken.forecast.features.size
        assert len(taken.forecast.probability) == len(SERVICES)
