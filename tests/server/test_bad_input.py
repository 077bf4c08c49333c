"""What bad input gets: a catalogued error, and nothing changed."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest

from server.errors import Reason
from server.pipeline.snapshot import Snapshot
from server.rpc.errors import CODES
from sre_edge.v1 import (
    chaos_service_pb2,
    error_reason_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
)
from tests.conftest import StartServer
from tests.server.stubs import SERVICES, Stubs, reason, sharing, violations

INJECT = {"target": "database", "kind": "FAULT_KIND_CPU_SPIKE", "duration": "30s"}


@sharing
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
    shared: Stubs, change: dict[str, Any], fields: list[str]
) -> None:
    request = {key: value for key, value in {**INJECT, **change}.items() if value is not None}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shared.inject(**request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason(caught.value)[0] == "INVALID_FIELD"
    assert reason(caught.value)[2] == fields
    assert "Traceback" not in caught.value.details()
    assert not (await shared.snapshot()).active_faults


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


async def test_an_error_arrives_however_much_is_wrong(stubs: Stubs) -> None:
    services = [{"name": f"Bad_{i}", "kind": "nonsense", "replicas": -1} for i in range(100)]
    calls = [
        stubs.simulation.Reset(
            simulation_service_pb2.ResetRequest(topology=json.dumps({"services": services}))
        ),
        stubs.simulation.QueryHistory(
            simulation_service_pb2.QueryHistoryRequest(metrics=["é" * 20_000])
        ),
        stubs.prediction.Predict(prediction_service_pb2.PredictRequest(services=["x" * 500_000])),
        stubs.chaos.GetExperiment(
            chaos_service_pb2.GetExperimentRequest(experiment_id="é" * 20_000)
        ),
    ]
    reasons = ["INVALID_FIELD", "INVALID_FIELD", "UNKNOWN_SERVICE", "UNKNOWN_EXPERIMENT"]
    for call, expected in zip(calls, reasons, strict=True):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert reason(caught.value)[0] == expected
        if call is calls[0]:
            told = violations(caught.value)
            assert "services[0].kind" in str(told)
            assert "more problems" in told[""]


@sharing
async def test_stopping_what_does_not_act_is_not_found(shared: Stubs) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shared.chaos.StopChaos(chaos_service_pb2.StopChaosRequest(fault_id="f-9"))
    assert reason(caught.value)[:2] == ("UNKNOWN_FAULT", {"fault_id": "f-9"})
    for request in (
        chaos_service_pb2.StopChaosRequest(),
        chaos_service_pb2.StopChaosRequest(all=False),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await shared.chaos.StopChaos(request)
        assert reason(caught.value)[2] == ["which"]
    nothing = await shared.chaos.StopChaos(chaos_service_pb2.StopChaosRequest(all=True))
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
    assert "at most 2 active or scheduled faults" in caught.value.details()


async def test_what_breaks_inside_stays_inside(stubs: Stubs, monkeypatch: Any) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Snapshot, "indices", broken)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.snapshot()
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert reason(caught.value)[0] == "INTERNAL"
    assert "secret" not in caught.value.details()


def test_the_catalogue_covers_the_enum_and_each_reason_has_a_code() -> None:
    names = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()[1:]}
    assert names == {found.name for found in Reason} == {found.name for found in CODES}
