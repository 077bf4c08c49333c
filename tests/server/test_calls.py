"""Every call against a real server, through a real channel."""

from __future__ import annotations

import asyncio
import json

import grpc
import pytest

from sre_edge.v1 import (
    chaos_service_pb2,
    fault_pb2,
    prediction_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    snapshot_pb2,
)
from tests.server.stubs import SERVICES, Stubs, sharing


@sharing
async def test_topology_is_the_seeds(shared: Stubs) -> None:
    answer = await shared.simulation.GetTopology(simulation_service_pb2.GetTopologyRequest())
    assert [service.name for service in answer.topology.services] == SERVICES
    gateway, auth, _, database = answer.topology.services
    assert [call.service for call in gateway.dependencies] == ["auth-service", "user-service"]
    assert [call.service for call in auth.dependencies] == ["database"]
    assert gateway.entry
    assert not database.entry
    assert gateway.slo.latency_ms == 500
    assert answer.run_id


@sharing
async def test_metrics_hold_six_figures_a_status_and_a_prediction(shared: Stubs) -> None:
    snapshot = await shared.snapshot()
    assert [service.service for service in snapshot.services] == SERVICES
    for service in snapshot.services:
        assert service.status == snapshot_pb2.STATUS_HEALTHY
        assert 0 < service.cpu_percent < 100
        assert 0 < service.memory_percent < 100
        assert service.latency_ms > 0
        assert service.error_rate_percent < 5
        assert service.throughput_rps > 50
        assert service.availability_percent == 100
        assert service.prediction.risk_level == prediction_pb2.RISK_LEVEL_LOW
    assert len(snapshot.edges) == 4


@sharing
async def test_metrics_of_some_services_come_in_topology_order(shared: Stubs) -> None:
    request = simulation_service_pb2.GetMetricsRequest(services=["database", "auth-service"])
    answer = await shared.simulation.GetMetrics(request)
    assert [s.service for s in answer.snapshot.services] == ["auth-service", "database"]
    edges = {(e.caller, e.callee) for e in answer.snapshot.edges}
    assert edges == {
        ("api-gateway", "auth-service"), ("auth-service", "database"), ("user-service", "database"),
    }  # fmt: skip


async def test_a_killed_database_shows_at_once_and_takes_its_callers_down(stubs: Stubs) -> None:
    before = await stubs.snapshot()
    fault = await stubs.inject(target="database", kind="FAULT_KIND_SERVICE_KILL", duration="60s")
    snapshot = await stubs.until(lambda s: s.active_faults)
    assert snapshot.cursor.sequence <= before.cursor.sequence + 3
    assert snapshot.active_faults[0].id == fault.id
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


@sharing
async def test_predict_answers_for_the_system_and_shows_what_the_model_saw(shared: Stubs) -> None:
    answer = await shared.prediction.Predict(
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


async def test_a_prediction_is_explained_on_demand_in_plain_words(stubs: Stubs) -> None:
    await stubs.inject(target="database", kind="FAULT_KIND_SERVICE_KILL", duration="3600s")
    await stubs.until(lambda s: s.services[0].status == snapshot_pb2.STATUS_DOWN)
    answer = await stubs.prediction.Predict(prediction_service_pb2.PredictRequest(explain=True))
    for found in answer.predictions:
        contributions = [factor.contribution for factor in found.top_factors]
        assert contributions == sorted(contributions, reverse=True)
        assert all(value > 0 for value in contributions)
    words = [f.description for found in answer.predictions for f in found.top_factors]
    assert any("database" in text for text in words)
    silent = await stubs.prediction.Predict(prediction_service_pb2.PredictRequest())
    assert not any(found.top_factors for found in silent.predictions)


async def test_an_analysis_tells_who_is_ill_and_how_far_it_would_spread(stubs: Stubs) -> None:
    request = prediction_service_pb2.GetAnalysisRequest()
    calm = await stubs.prediction.GetAnalysis(request)
    names = [s.service for s in calm.services]
    assert len(names) == 4
    assert all(s.health > 0.9 and not s.violations for s in calm.services)
    (path,) = calm.critical_paths
    assert path.entry == path.hops[0].service == "api-gateway"
    assert abs(sum(hop.share for hop in path.hops) - 1.0) < 1e-9
    await stubs.inject(target="database", kind="FAULT_KIND_SERVICE_KILL", duration="3600s")
    await stubs.until(lambda s: s.services[0].status == snapshot_pb2.STATUS_DOWN)
    ill = {s.service: s for s in (await stubs.prediction.GetAnalysis(request)).services}
    assert ill["database"].health == 0.0
    assert ill["api-gateway"].dependency_health < 0.9
    assert "availability_percent" in {v.metric for v in ill["database"].violations}
    assert ill["database"].cascade_risk > 0.5
    assert not ill["database"].HasField("dependency_health")
    await stubs.until(lambda s: s.cursor.sequence > 12)
    some = prediction_service_pb2.GetAnalysisRequest(services=["api-gateway"])
    answer = await stubs.prediction.GetAnalysis(some)
    assert [s.service for s in answer.services] == ["api-gateway"]
    assert {a.service for a in answer.anomalies} <= {"api-gateway"}


async def test_only_so_many_services_are_explained_at_a_time(
    stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.rpc.predictions.MAX_EXPLAINED", 3)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stubs.prediction.Predict(prediction_service_pb2.PredictRequest(explain=True))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "name them in `services`" in str(raised.value.details())
    some = prediction_service_pb2.PredictRequest(explain=True, services=["database"])
    assert len((await stubs.prediction.Predict(some)).predictions) == 1


async def test_reset_brings_everything_back_and_tells_open_streams(stubs: Stubs) -> None:
    stream = stubs.simulation.StreamMetrics(simulation_service_pb2.StreamMetricsRequest())
    first = await stream.read()
    await stubs.inject(target="database", kind="FAULT_KIND_SERVICE_KILL", duration="3600s")
    await stubs.until(lambda s: s.services[0].status == snapshot_pb2.STATUS_DOWN)
    answer = await stubs.simulation.Reset(simulation_service_pb2.ResetRequest(seed=7))
    assert answer.run_id != first.snapshot.cursor.run_id
    snapshot = await stubs.snapshot()
    assert snapshot.cursor.run_id == answer.run_id
    assert not snapshot.active_faults
    assert all(s.status == snapshot_pb2.STATUS_HEALTHY for s in snapshot.services)
    async with asyncio.timeout(10):
        while not (message := await stream.read()).HasField("gap"):
            pass
        assert message.gap.reason == snapshot_pb2.GAP_REASON_RUN_ENDED
        assert (await stream.read()).snapshot.cursor.run_id == answer.run_id
    stream.cancel()


async def test_requests_can_be_written_as_the_seed_did(stubs: Stubs) -> None:
    text = '{"target":"database","kind":"FAULT_KIND_CPU_SPIKE","duration":"30s"}'
    fault = await stubs.inject(**json.loads(text))
    assert fault.kind == fault_pb2.FAULT_KIND_CPU_SPIKE
    assert fault.duration.seconds == 30
