"""Every call against a real server, through a real channel: good input and bad."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from server.app import App
from server.errors import Reason
from server.rpc.errors import CODES
from sre_edge.v1 import (
    chaos_service_pb2,
    chaos_service_pb2_grpc,
    error_reason_pb2,
    fault_pb2,
    prediction_pb2,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
    simulation_service_pb2,
    simulation_service_pb2_grpc,
    snapshot_pb2,
)
from tests.conftest import StartServer

SERVICES = ["api-gateway", "auth-service", "user-service", "database"]


class Stubs:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.simulation = simulation_service_pb2_grpc.SimulationServiceStub(channel)
        self.chaos = chaos_service_pb2_grpc.ChaosServiceStub(channel)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    async def snapshot(self) -> snapshot_pb2.Snapshot:
        answer = await self.simulation.GetMetrics(simulation_service_pb2.GetMetricsRequest())
        return answer.snapshot

    async def inject(self, **fields: Any) -> fault_pb2.Fault:
        request = json_format.ParseDict(fields, chaos_service_pb2.InjectChaosRequest())
        return (await self.chaos.InjectChaos(request)).fault

    async def until(self, condition: Any, seconds: float = 20.0) -> snapshot_pb2.Snapshot:
        async with asyncio.timeout(seconds):
            while not condition(taken := await self.snapshot()):
                await asyncio.sleep(0.02)
        return taken


@pytest_asyncio.fixture
async def app(start_server: StartServer) -> App:
    return await start_server()


@pytest_asyncio.fixture
async def stubs(app: App) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(app.address) as channel:
        yield Stubs(channel)


def reason(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str], list[str]]:
    """Reason, metadata and violated fields of an error."""
    status = rpc_status.from_call(error)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    assert info.domain == "sre-edge"
    return info.reason, dict(info.metadata), [v.field for v in bad.field_violations]


async def test_topology_is_the_seeds(stubs: Stubs) -> None:
    answer = await stubs.simulation.GetTopology(simulation_service_pb2.GetTopologyRequest())
    assert [service.name for service in answer.topology.services] == SERVICES
    gateway, auth, _, database = answer.topology.services
    assert [call.service for call in gateway.dependencies] == ["auth-service", "user-service"]
    assert [call.service for call in auth.dependencies] == ["database"]
    assert gateway.entry
    assert not database.entry
    assert gateway.slo.latency_ms == 500
    assert answer.run_id


async def test_metrics_hold_six_figures_a_status_and_a_prediction(stubs: Stubs) -> None:
    taken = await stubs.snapshot()
    assert [service.service for service in taken.services] == SERVICES
    for service in taken.services:
        assert service.status == snapshot_pb2.STATUS_HEALTHY
        assert 0 < service.cpu_percent < 100
        assert 0 < service.memory_percent < 100
        assert service.latency_ms > 0
        assert service.error_rate_percent < 5
        assert service.throughput_rps > 50
        assert service.availability_percent == 100
        assert service.prediction.risk_level == prediction_pb2.RISK_LEVEL_LOW
    assert len(taken.edges) == 4


async def test_metrics_of_some_services_come_in_topology_order(stubs: Stubs) -> None:
    request = simulation_service_pb2.GetMetricsRequest(services=["database", "auth-service"])
    answer = await stubs.simulation.GetMetrics(request)
    assert [s.service for s in answer.snapshot.services] == ["auth-service", "database"]
    edges = {(e.caller, e.callee) for e in answer.snapshot.edges}
    assert edges == {
        ("api-gateway", "auth-service"), ("auth-service", "database"), ("user-service", "database"),
    }  # fmt: skip


async def test_a_killed_database_shows_at_once_and_takes_its_callers_down(stubs: Stubs) -> None:
    before = await stubs.snapshot()
    fault = await stubs.inject(target="database", kind="FAULT_KIND_SERVICE_KILL", duration="60s")
    taken = await stubs.until(lambda s: s.active_faults)
    assert taken.cursor.sequence <= before.cursor.sequence + 3
    assert taken.active_faults[0].id == fault.id
    down = await stubs.until(
        lambda s: all(x.status == snapshot_pb2.STATUS_DOWN for x in s.services)
    )
    assert down.system.incident_probability > before.system.incident_probability
    healthy = await stubs.until(
        lambda s: (
            all(x.status == snapshot_pb2.STATUS_HEALTHY for x in s.services) and not s.active_faults
        )
    )
    assert healthy.cursor.run_id == before.cursor.run_id


@pytest.mark.parametrize("kind", fault_pb2.FaultKind.keys()[1:])
async def test_every_kind_of_fault_can_be_injected_and_stopped(stubs: Stubs, kind: str) -> None:
    target = "api-gateway" if kind == "FAULT_KIND_TRAFFIC_SURGE" else "database"
    fault = await stubs.inject(target=target, kind=kind, duration="30s", intensity=0.5, ramp="10s")
    assert fault.target == target
    assert fault.end_time.ToDatetime() > fault.start_time.ToDatetime()
    stopped = await stubs.chaos.StopChaos(chaos_service_pb2.StopChaosRequest(fault_id=fault.id))
    assert [f.id for f in stopped.stopped] == [fault.id]
    assert not (await stubs.until(lambda s: not s.active_faults)).active_faults


async def test_a_cascade_names_the_target_that_it_chose(stubs: Stubs) -> None:
    fault = await stubs.inject(kind="FAULT_KIND_CASCADE_FAILURE", duration="30s")
    assert fault.target == "database"


async def test_predict_answers_for_the_system_and_shows_what_the_model_saw(stubs: Stubs) -> None:
    answer = await stubs.prediction.Predict(
        prediction_service_pb2.PredictRequest(services=["database"], include_features=True)
    )
    (found,) = answer.predictions
    assert found.service == "database"
    assert 0 <= found.incident_probability <= 1
    assert found.horizon.seconds == 60
    assert found.model_version == answer.system.model_version != ""
    assert len(found.features) >= 40
    for seeds in ("slo_violations", "critical_path_latency_ms", "hour_of_day", "is_weekend"):
        assert seeds in found.features
    assert "dependency_health" not in found.features  # it depends on nothing
    assert 0 <= answer.system.incident_probability <= 1


async def test_reset_brings_everything_back_and_tells_open_streams(stubs: Stubs) -> None:
    stream = stubs.simulation.StreamMetrics(simulation_service_pb2.StreamMetricsRequest())
    first = await stream.read()
    await stubs.inject(target="database", kind="FAULT_KIND_SERVICE_KILL", duration="3600s")
    await stubs.until(lambda s: s.services[0].status == snapshot_pb2.STATUS_DOWN)
    answer = await stubs.simulation.Reset(simulation_service_pb2.ResetRequest(seed=7))
    assert answer.run_id != first.snapshot.cursor.run_id
    taken = await stubs.snapshot()
    assert taken.cursor.run_id == answer.run_id
    assert not taken.active_faults
    assert all(s.status == snapshot_pb2.STATUS_HEALTHY for s in taken.services)
    async with asyncio.timeout(10):
        while not (message := await stream.read()).HasField("gap"):
            pass
        assert message.gap.reason == snapshot_pb2.GAP_REASON_RUN_ENDED
        assert (await stream.read()).snapshot.cursor.run_id == answer.run_id
    stream.cancel()


INJECT = {"target": "database", "kind": "FAULT_KIND_CPU_SPIKE", "duration": "30s"}


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"duration": "0s"}, ["duration"]),
        ({"duration": "-5s"}, ["duration"]),
        ({"duration": "3601s"}, ["duration"]),
        ({"duration": None}, ["duration"]),
        ({"intensity": "NaN"}, ["intensity"]),
        ({"intensity": "Infinity"}, ["intensity"]),
        ({"intensity": 0}, ["intensity"]),
        ({"intensity": 10.5}, ["intensity"]),
        ({"ramp": "31s"}, ["ramp"]),
        ({"ramp": "-1s"}, ["ramp"]),
        ({"share": 0}, ["share"]),
        ({"share": "NaN"}, ["share"]),
        ({"kind": "FAULT_KIND_UNSPECIFIED"}, ["kind"]),
        ({"kind": 99}, ["kind"]),
        ({"target": ""}, ["target"]),
        ({"kind": "FAULT_KIND_TRAFFIC_SURGE"}, ["target"]),
        ({"target": "user-service->auth-service", "kind": "FAULT_KIND_NETWORK_PARTITION"},
         ["target"]),
        ({"target": "auth-service->database"}, ["target"]),
        ({"duration": "0s", "intensity": "NaN", "share": 2}, ["duration", "intensity", "share"]),
    ],
)  # fmt: skip
async def test_an_impossible_fault_names_each_field_and_changes_nothing(
    stubs: Stubs, change: dict[str, Any], fields: list[str]
) -> None:
    request = {key: value for key, value in {**INJECT, **change}.items() if value is not None}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.inject(**request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason(caught.value)[0] == "INVALID_FIELD"
    assert reason(caught.value)[2] == fields
    assert "Traceback" not in caught.value.details()
    assert not (await stubs.snapshot()).active_faults


async def test_an_unknown_service_is_not_found_with_the_known_names(stubs: Stubs) -> None:
    calls = [
        stubs.inject(**{**INJECT, "target": "databse"}),
        stubs.simulation.GetMetrics(simulation_service_pb2.GetMetricsRequest(services=["databse"])),
        stubs.prediction.Predict(prediction_service_pb2.PredictRequest(services=["databse"])),
        stubs.simulation.StreamMetrics(
            simulation_service_pb2.StreamMetricsRequest(services=["database", "databse"])
        ).read(),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        name, metadata, _ = reason(caught.value)
        assert name == "UNKNOWN_SERVICE"
        assert metadata == {"service": "databse", "known": ",".join(SERVICES)}


async def test_stopping_what_does_not_act_is_not_found(stubs: Stubs) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.chaos.StopChaos(chaos_service_pb2.StopChaosRequest(fault_id="f-9"))
    assert reason(caught.value)[:2] == ("UNKNOWN_FAULT", {"fault_id": "f-9"})
    for request in (
        chaos_service_pb2.StopChaosRequest(),
        chaos_service_pb2.StopChaosRequest(all=False),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stubs.chaos.StopChaos(request)
        assert reason(caught.value)[2] == ["which"]
    nothing = await stubs.chaos.StopChaos(chaos_service_pb2.StopChaosRequest(all=True))
    assert not nothing.stopped


async def test_faults_are_limited(start_server: StartServer) -> None:
    app = await start_server(max_faults=2)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stubs = Stubs(channel)
        for _ in range(2):
            await stubs.inject(**INJECT)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stubs.inject(**INJECT)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason(caught.value)[:2] == ("TOO_MANY_FAULTS", {"limit": "2"})


async def test_what_breaks_inside_stays_inside(app: App, stubs: Stubs, monkeypatch: Any) -> None:
    def broken(_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(app.engine, "indices", broken)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.snapshot()
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert reason(caught.value)[0] == "INTERNAL"
    assert "secret" not in caught.value.details()


def test_the_catalogue_covers_the_enum_and_each_reason_has_a_code() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()[1:]}
    assert names == {found.name for found in Reason} == {found.name for found in CODES}


async def test_health_and_reflection_answer(stubs: Stubs) -> None:
    health = health_pb2_grpc.HealthStub(stubs.channel)
    for name in ("", "sre_edge.v1.SimulationService", "sre_edge.v1.ChaosService"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(stubs.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in reflection.ServerReflectionInfo(iter([request])):
        names = {service.name for service in answer.list_services_response.service}
    assert {
        "sre_edge.v1.SimulationService", "sre_edge.v1.ChaosService",
        "sre_edge.v1.PredictionService", "grpc.health.v1.Health",
    } <= names  # fmt: skip


async def test_prometheus_finds_services_predictions_and_calls(app: App, stubs: Stubs) -> None:
    await stubs.snapshot()

    def scrape() -> str:
        with urllib.request.urlopen(f"http://{app.metrics_address}/metrics", timeout=10) as page:
            return page.read().decode()

    text = await asyncio.to_thread(scrape)
    for service in SERVICES:
        assert f'sre_edge_service_cpu_percent{{service="{service}"}}' in text
        assert f'sre_edge_incident_probability{{service="{service}"}}' in text
    assert 'method="/sre_edge.v1.SimulationService/GetMetrics"' in text


async def test_requests_can_be_written_as_the_seed_did(stubs: Stubs) -> None:
    text = '{"target":"database","kind":"FAULT_KIND_CPU_SPIKE","duration":"30s"}'
    fault = await stubs.inject(**json.loads(text))
    assert fault.kind == fault_pb2.FAULT_KIND_CPU_SPIKE
    assert fault.duration.seconds == 30
