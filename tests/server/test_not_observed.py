"""A source that observes only a part: what is not observed is said, and never sent as 0."""

from __future__ import annotations

import asyncio
import math
import urllib.request
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest
import pytest_asyncio

from server.app import App
from server.rpc import snapshot_encoder
from sre_edge.v1 import prediction_service_pb2, simulation_service_pb2, snapshot_pb2
from telemetry.metrics import SERVICE_METRICS, Kind
from tests.conftest import StartServer
from tests.partly_observed import (
    CALLS_S,
    GRAPH,
    REQUESTS_S,
    RESOURCES_S,
    SCRIPT,
    STATUSES,
)
from tests.server.pipeline.frames import HEALTHY
from tests.server.stubs import Stubs


@pytest_asyncio.fixture
async def app(start_server: StartServer) -> App:
    return await start_server(SCRIPT)


@pytest_asyncio.fixture
async def calls(app: App) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(app.address) as channel:
        yield Stubs(channel)


def check(message: snapshot_pb2.Snapshot) -> None:
    assert {
        one.service: snapshot_pb2.Status.Name(one.status) for one in message.services
    } == STATUSES
    for one in message.services:
        np.testing.assert_equal(one.requests_age_seconds, REQUESTS_S.get(one.service, 0.0))
        np.testing.assert_equal(one.resources_age_seconds, RESOURCES_S.get(one.service, 0.0))
        for metric in SERVICE_METRICS:
            ages = REQUESTS_S if metric.kind is Kind.REQUESTS else RESOURCES_S
            never = math.isnan(ages.get(one.service, 0.0))
            expected = math.nan if never else HEALTHY[metric.name]
            np.testing.assert_equal(getattr(one, metric.name), expected)
            assert one.HasField(metric.name)
    for edge in message.edges:
        age = CALLS_S.get((edge.caller, edge.callee), 0.0)
        np.testing.assert_equal(edge.age_seconds, age)
        np.testing.assert_equal(edge.call_rate_rps, math.nan if math.isnan(age) else 50.0)


@pytest.mark.parametrize("max_plain", [0, 1000])
async def test_a_snapshot_has_nan_and_ages_however_it_comes(
    calls: Stubs, monkeypatch: pytest.MonkeyPatch, max_plain: int
) -> None:
    monkeypatch.setattr(snapshot_encoder.ENCODER, "_max_plain", max_plain)
    check(await calls.snapshot())
    stream = calls.simulation.StreamMetrics(simulation_service_pb2.StreamMetricsRequest())
    check((await stream.read()).snapshot)
    stream.cancel()


async def test_a_history_has_nan_where_nothing_was_observed(calls: Stubs) -> None:
    request = simulation_service_pb2.QueryHistoryRequest(metrics=["latency_ms", "cpu_percent"])
    for line in (await calls.simulation.QueryHistory(request)).series:
        ages = REQUESTS_S if line.metric == "latency_ms" else RESOURCES_S
        never = math.isnan(ages.get(line.service, 0.0))
        expected = math.nan if never else HEALTHY[line.metric]
        for values in (line.minimum, line.maximum, line.mean, line.last):
            assert values
            np.testing.assert_equal(list(values), [expected] * len(values))


async def test_an_analysis_calls_nobody_healthy_that_is_not_observed(calls: Stubs) -> None:
    request = prediction_service_pb2.GetAnalysisRequest(services=GRAPH.names)
    found = (await calls.prediction.GetAnalysis(request)).services
    assert {one.service: math.isnan(one.health) for one in found} == {
        name: status == "STATUS_UNKNOWN" for name, status in STATUSES.items()
    }
    assert not any(one.violations for one in found)


async def test_prometheus_finds_no_series_of_it(app: App) -> None:
    def scrape() -> str:
        with urllib.request.urlopen(f"http://{app.metrics_address}/metrics", timeout=10) as page:
            return page.read().decode()

    text = await asyncio.to_thread(scrape)
    for metric in SERVICE_METRICS:
        if metric.overview or metric.chart:
            ages = REQUESTS_S if metric.kind is Kind.REQUESTS else RESOURCES_S
            found = {
                name for name in GRAPH.names
                if f'sre_edge_service_{metric.name}{{service="{name}"' in text
            }  # fmt: skip
            assert found == {n for n in GRAPH.names if not math.isnan(ages.get(n, 0.0))}
    assert "NaN" not in text
