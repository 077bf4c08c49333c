"""Snapshots, plain or made column by column, are those that anyone would make by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from google.protobuf import wrappers_pb2

from ml.definitions.risk import MEDIUM_FROM, risk_level
from ml.serving.predictor import Predictor, Trees
from ml.serving.recommendations import recommendations
from server.pipeline import advice
from server.pipeline.snapshot import Forecast, Snapshot
from server.records.experiments import InjectedFault
from server.rpc import columnar_services, convert, faults, plain_snapshots, times
from server.rpc.columns import varint
from server.rpc.predictions import MAX_ONE_BY_ONE, Predictions
from server.rpc.snapshot_encoder import SnapshotEncoder
from server.sources.simulation import SimulationFactory, simulation
from server.systems.system import System
from simulator.topology.file import parse_topology
from sre_edge.v1 import (
    prediction_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    snapshot_pb2,
)
from telemetry.document import parse
from telemetry.faults import FaultKind
from telemetry.frame import Age
from telemetry.metrics import EDGE_METRICS, SERVICE_METRICS


def field_by_field(snapshot: Snapshot, indices: tuple[int, ...] | None) -> snapshot_pb2.Snapshot:
    graph, frame, forecast = snapshot.graph, snapshot.frame, snapshot.forecast
    message = snapshot_pb2.Snapshot(
        cursor=convert.cursor(snapshot),
        time=times.timestamp(snapshot.time),
        interval_seconds=frame.interval_s,
        produced_time=times.timestamp(snapshot.produced_time),
        active_faults=[faults.fault(fault) for fault in snapshot.faults],
        clock=convert.clock(snapshot.clock),
        kill_switch=snapshot.kill_switch,
        topology_sequence=snapshot.graph_since,
        system_id=snapshot.run.system,
    )
    for i, name in enumerate(graph.names):
        if indices is None or i in indices:
            status = snapshot_pb2.Status.Value(f"STATUS_{snapshot.statuses[i].name}")
            service = message.services.add(service=name, status=status)
            for metric in (m.name for m in SERVICE_METRICS):
                setattr(service, metric, float(getattr(frame, metric)[0, i]))
            if frame.age is not None:
                service.requests_age_seconds = float(frame.age.requests_s[0, i])
                service.resources_age_seconds = float(frame.age.resources_s[0, i])
            if forecast is not None:
                probability = float(forecast.probability[i])
                types = forecast.types[i] if probability >= MEDIUM_FROM else None
                service.prediction.CopyFrom(prediction(snapshot, forecast, i, probability, types))
    for e in range(graph.edges):
        caller, callee = int(graph.caller[e]), int(graph.callee[e])
        if indices is None or caller in indices or callee in indices:
            edge = message.edges.add(caller=graph.names[caller], callee=graph.names[callee])
            for metric in ("call_rate_rps", "error_rate_percent", "latency_ms"):
                setattr(edge, metric, float(getattr(frame, f"edge_{metric}")[0, e]))
            if frame.age is not None:
                edge.age_seconds = float(frame.age.edges_s[0, e])
    if forecast is not None:
        message.system.CopyFrom(convert.system_prediction(snapshot, forecast))
    return message


def prediction(
    snapshot: Snapshot,
    forecast: Forecast,
    service: int,
    probability: float,
    types: np.ndarray | None,
) -> prediction_pb2.Prediction:
    level = f"RISK_LEVEL_{risk_level(probability).name}"
    message = prediction_pb2.Prediction(
        service=snapshot.graph.names[service],
        incident_probability=probability,
        risk_level=prediction_pb2.RiskLevel.Value(level),
        cascade_risk=float(forecast.cascade_risk[service]),
        horizon=times.duration(forecast.horizon_s),
        model_version=forecast.model_version,
    )
    if types is not None:
        convert.add_type(message, types)
        recommended = recommendations(snapshot.graph, snapshot.frame, service, types)
        convert.add_advice(message, recommended)
    return message


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """Give a snapshot with gaps, and with services at every level of risk."""
    system = System(simulation("boutique", 1), Predictor())
    latest = system.latest
    assert latest.forecast is not None
    rng = np.random.default_rng(5)
    services = latest.graph.services
    columns = tuple(metric.field for metric in (*SERVICE_METRICS, *EDGE_METRICS))
    frame = replace(
        latest.frame, **{name: _with_gaps(getattr(latest.frame, name), rng) for name in columns}
    )
    probability = np.linspace(0.01, 1.0, services)
    types = rng.dirichlet(np.ones(len(latest.forecast.predictor.manifest.types)), services)
    forecast = replace(latest.forecast, probability=probability, types=types)
    return replace(latest, frame=frame, forecast=forecast)


def _with_gaps(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(values.shape) < 0.3, np.nan, values)


def aged(snapshot: Snapshot, *ages: float) -> Snapshot:
    """Give a snapshot whose values have these ages."""
    rng = np.random.default_rng(6)
    age = Age(
        *(
            rng.choice(ages, size=(1, size))
            for size in (*2 * [snapshot.graph.services], snapshot.graph.edges)
        )
    )
    return replace(snapshot, frame=replace(snapshot.frame, age=age))


def streamed(
    snapshot: Snapshot, indices: tuple[int, ...] | None, **options: bool
) -> snapshot_pb2.Snapshot:
    """Give the message that is streamed, which is the same in both ways."""
    plain, columns = (
        simulation_service_pb2.StreamMetricsResponse.FromString(
            SnapshotEncoder(max_plain=max_plain).encode(snapshot, indices, **options)
        ).snapshot
        for max_plain in (1_000_000, 0)
    )
    assert plain == columns
    return columns


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 16_383, 16_384, 2**28 + 5])
def test_a_length_is_encoded_as_protobuf_does(number: int) -> None:
    # Zero is the default of a field, and not written.
    expected = wrappers_pb2.UInt64Value(value=number).SerializeToString()[1:] or b"\x00"
    assert varint(number) == expected


@pytest.mark.parametrize("indices", [None, (0,), (2, 3, 7)])
def test_ages_are_encoded_and_cost_nothing_while_all_is_fresh(
    snapshot: Snapshot, indices: tuple[int, ...] | None
) -> None:
    old = aged(snapshot, 0.0, 30.0, np.nan)
    message = streamed(old, indices)
    assert message == field_by_field(old, indices)
    assert old.frame.age is not None
    for service in message.services:
        place = old.graph.index[service.service]
        for found, given in (
            (service.requests_age_seconds, old.frame.age.requests_s[0, place]),
            (service.resources_age_seconds, old.frame.age.resources_s[0, place]),
        ):
            np.testing.assert_equal(found, given)
    assert streamed(aged(snapshot, 0.0), indices) == streamed(snapshot, indices)


def test_what_is_not_observed_is_nan_also_to_a_client_that_does_not_ask(snapshot: Snapshot) -> None:
    message = streamed(snapshot, None)
    gaps = 0
    for given, metrics in (
        (message.services, SERVICE_METRICS), (message.edges, EDGE_METRICS)
    ):  # fmt: skip
        for place, one in enumerate(given):
            for metric in metrics:
                value = getattr(snapshot.frame, metric.field)[0, place]
                np.testing.assert_equal(getattr(one, metric.name), value)
                gaps += np.isnan(value)
    assert gaps


@pytest.mark.parametrize("indices", [None, (0,), (2, 3, 7)])
def test_fast_and_slow_agree(snapshot: Snapshot, indices: tuple[int, ...] | None) -> None:
    levels = {risk_level(p) for p in snapshot.forecast.probability}  # type: ignore[union-attr]
    assert len(levels) == 4
    assert streamed(snapshot, indices) == field_by_field(snapshot, indices)
    without = replace(snapshot, forecast=None)
    assert streamed(without, indices) == field_by_field(without, indices)
    bare = field_by_field(without, indices)
    bare.system.CopyFrom(field_by_field(snapshot, indices).system)
    del bare.edges[:]
    assert streamed(snapshot, indices, edges=False, predictions=False) == bare


def test_a_small_snapshot_is_plain_and_a_large_one_columns(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = snapshot.graph.services + snapshot.graph.edges
    used: list[str] = []
    for way, name in ((plain_snapshots, "add_services"), (columnar_services, "encoded")):
        real = getattr(way, name)

        def noted(*arguments: Any, real: Any = real, way: Any = way, **options: Any) -> Any:
            used.append(way.__name__.rpartition(".")[2])
            return real(*arguments, **options)

        monkeypatch.setattr(way, name, noted)
    for max_plain in (rows, rows - 1):
        SnapshotEncoder(max_plain=max_plain).encode(snapshot, None)
    SnapshotEncoder(max_plain=rows - 1).encode(snapshot, (0,))
    assert used == ["plain_snapshots", "columnar_services", "plain_snapshots"]


def test_the_ends_of_every_range_are_encoded_rightly(snapshot: Snapshot) -> None:
    assert snapshot.forecast is not None
    services, frame = snapshot.graph.services, snapshot.frame
    unseen = replace(
        frame,
        **{name: np.full((1, services), np.nan) for name in (m.field for m in SERVICE_METRICS)},
    )
    for probability in (0.0, 1.0):
        forecast = replace(snapshot.forecast, probability=np.full(services, probability))
        start, kind = snapshot.time, FaultKind.SERVICE_KILL
        fault = InjectedFault(
            "f-1", "e-1", "cart", kind, 10.0, 1.0, 0.0, 1.0, start, snapshot.end_time
        )
        last = replace(
            snapshot, frame=unseen, forecast=forecast, kill_switch=True, faults=(fault,)
        )  # fmt: skip
        assert streamed(last, None) == field_by_field(last, None)


def test_a_system_without_calls_and_with_a_long_name_is_encoded_rightly() -> None:
    document = f"services: [{{name: {'x' * 63}, ingress_rps: 100}}]"
    snapshot = System(
        SimulationFactory(parse_topology(parse(document, "t"), source="t"), 1), Predictor()
    ).latest
    assert not snapshot.graph.edges
    assert streamed(snapshot, None) == field_by_field(snapshot, None) != snapshot_pb2.Snapshot()


def test_only_those_most_at_risk_come_with_advice(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "MAX_ADVISED", 2)
    services = streamed(snapshot, None).services
    assert [bool(s.prediction.recommendations) for s in services[-3:]] == [False, True, True]
    typed = [
        s.prediction.incident_type != prediction_pb2.INCIDENT_TYPE_UNSPECIFIED for s in services
    ]
    assert typed == [s.prediction.incident_probability >= MEDIUM_FROM for s in services]


def test_each_prediction_asked_for_is_the_models_own_answer() -> None:
    system = System(simulation("boutique", 1), Predictor())
    latest, forecast = system.forecast()
    everyone = range(len(forecast.probability))
    assert len(everyone) > MAX_ONE_BY_ONE
    known = replace(
        forecast,
        active=np.arange(len(everyone)) % 2 == 0,
        ongoing=np.arange(len(everyone)) % 3 == 2,
    )
    predictions = Predictions(latest, known)
    together = list(predictions.expect(everyone))
    assert [service for service, *_ in predictions.expect([3, 1])] == [3, 1]
    for service in everyone:
        one = next(iter(predictions.expect([service])))
        _, probability, risk, types = together[service]
        assert one[1] == pytest.approx(probability, rel=1e-6)
        assert one[2] == risk
        if known.ongoing[service]:
            assert probability == 1.0
            assert types is not None
            assert types.sum() == pytest.approx(1.0, abs=1e-5)
            np.testing.assert_allclose(one[3], types, rtol=1e-5)
        elif known.active[service] == forecast.active[service]:
            assert probability == pytest.approx(float(forecast.probability[service]), abs=1e-6)


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_an_answer_is_the_message_that_anyone_would_make(at_once: int) -> None:
    system = System(simulation("boutique", 1), Predictor())
    latest, forecast = system.forecast()
    services = len(forecast.probability)
    known = replace(
        forecast, active=np.arange(services) % 2 == 0, ongoing=np.arange(services) % 3 == 2
    )
    predictions, names = Predictions(latest, known), latest.graph.names[:at_once]
    answers = list(predictions.expect(range(len(names))))
    request = prediction_service_pb2.PredictRequest(services=names)
    for _ in range(2):  # what is fixed is made the first time, and copied
        response = predictions.answer(request)
        for message, answer in zip(response.predictions, answers, strict=True):
            service, probability, risk, types = answer
            assert message == prediction(latest, known, service, probability, types)
            assert message.risk_level == risk
        assert response.system == convert.system_prediction(latest, known)
        assert response.cursor == convert.cursor(latest)
        assert response.time == times.timestamp(latest.end_time)


@pytest.mark.parametrize("probability", [0.0, 0.299, 0.3, 0.599, 0.6, 0.799, 0.8, 0.999])
def test_an_answer_has_the_risk_and_what_follows_from_it(
    monkeypatch: pytest.MonkeyPatch, probability: float
) -> None:
    system = System(simulation("default", 1), Predictor())
    latest, forecast = system.forecast()
    known = replace(forecast, active=np.full(4, True))
    monkeypatch.setattr(Predictor, "probability_of_row", lambda *_: probability)
    predictions = Predictions(latest, known)
    request = prediction_service_pb2.PredictRequest(services=latest.graph.names[1:2])
    (message,) = predictions.answer(request).predictions
    types = (
        known.predictor.types_of_rows(known.rows[1:2])[0] if probability >= MEDIUM_FROM else None
    )
    assert message == prediction(latest, known, 1, probability, types)


def test_one_inference_runs_for_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(simulation("default", 1), Predictor())
    latest, forecast = system.forecast()
    inferences: list[int] = []
    request = prediction_service_pb2.PredictRequest(services=latest.graph.names[2:3])
    for name in ("__call__", "first_of_row"):
        real = getattr(Trees, name)

        def counted(trees: Trees, inputs: np.ndarray, real: Any = real) -> Any:
            inferences.append(np.atleast_2d(inputs).shape[0])
            return real(trees, inputs)

        monkeypatch.setattr(Trees, name, counted)
    for active, expected in ((True, [1, 1, 1]), (False, [])):
        inferences.clear()
        known = Predictions(latest, replace(forecast, active=np.full(4, active)))
        for _ in range(3):
            response = known.answer(request)
            assert 0.0 < response.predictions[0].incident_probability < MEDIUM_FROM
        assert inferences == expected
