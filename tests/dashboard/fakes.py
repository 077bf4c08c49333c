"""A provider without a server, with as much state as a test gives it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from dashboard.source.state import Records, State
from server.rpc.catalog import catalog
from sre_edge import NotFound, Unavailable
from sre_edge.v1 import (
    alarm_pb2,
    analysis_pb2,
    clock_pb2,
    event_pb2,
    experiment_pb2,
    fault_pb2,
    history_pb2,
    incident_pb2,
    incident_service_pb2,
    model_pb2,
    prediction_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
    slo_pb2,
    snapshot_pb2,
    topology_pb2,
    training_pb2,
)

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CALLS = {
    "api-gateway": ["auth-service", "user-service"],
    "auth-service": ["database"],
    "user-service": ["database"],
    "database": [],
}


def topology() -> topology_pb2.Topology:
    return topology_pb2.Topology(
        name="default",
        services=[
            topology_pb2.Service(
                name=name,
                kind=topology_pb2.SERVICE_KIND_SERVICE,
                replicas=3,
                entry=name == "api-gateway",
                slo=topology_pb2.ServiceLevelObjective(
                    latency_ms=500, error_rate_percent=1, availability_percent=99.9
                ),
                dependencies=[topology_pb2.Dependency(service=c, required=True) for c in callees],
            )
            for name, callees in CALLS.items()
        ],
    )


def fault(target: str = "database", number: int = 1) -> fault_pb2.Fault:
    injected = fault_pb2.Fault(
        id=f"f-{number}", target=target, kind=fault_pb2.FAULT_KIND_SERVICE_KILL, intensity=1.0
    )
    injected.duration.FromTimedelta(timedelta(seconds=60))
    injected.start_time.FromDatetime(START)
    injected.end_time.FromDatetime(START + timedelta(seconds=60))
    return injected


def snapshot(
    sequence: int = 1,
    status: snapshot_pb2.Status.ValueType = snapshot_pb2.STATUS_HEALTHY,
    risk: float = 0.02,
    faults: tuple[fault_pb2.Fault, ...] = (),
    run_id: str = "run",
) -> snapshot_pb2.Snapshot:
    level = prediction_pb2.RISK_LEVEL_CRITICAL if risk >= 0.8 else prediction_pb2.RISK_LEVEL_LOW
    taken = snapshot_pb2.Snapshot(
        cursor=snapshot_pb2.Cursor(run_id=run_id, sequence=sequence),
        interval_seconds=2.0,
        services=[
            snapshot_pb2.ServiceMetrics(
                service=name, status=status, cpu_percent=45.21, memory_percent=50.0,
                latency_ms=431.4, latency_p95_ms=600.0, error_rate_percent=0.0,
                throughput_rps=1234.0, availability_percent=100.0,
                prediction=prediction_pb2.Prediction(
                    service=name, incident_probability=risk, risk_level=level
                ),
            )
            for name in CALLS
        ],
        edges=[
            snapshot_pb2.EdgeMetrics(caller=a, callee=b, call_rate_rps=120, error_rate_percent=0)
            for a, callees in CALLS.items()
            for b in callees
        ],
        active_faults=faults,
        system=prediction_pb2.SystemPrediction(incident_probability=risk, risk_level=level),
    )  # fmt: skip
    taken.time.FromDatetime(START + timedelta(seconds=2 * sequence))
    taken.produced_time.FromDatetime(START + timedelta(seconds=2 * sequence))
    return taken


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def length(seconds: float) -> Duration:
    made = Duration()
    made.FromTimedelta(timedelta(seconds=seconds))
    return made


def experiment(
    state: experiment_pb2.ExperimentState.ValueType = experiment_pb2.EXPERIMENT_STATE_FINISHED,
) -> experiment_pb2.Experiment:
    return experiment_pb2.Experiment(
        id="x-1", run_id="run", name="service kill on database", state=state,
        start_time=stamp(START), faults=[fault()],
        outcome=experiment_pb2.ExperimentOutcome(
            broken=1, foretold=True, lead=length(12), time_to_first_alarm=length(4),
            time_to_recover=length(30), error_budget_spent=0.02,
            broke=[experiment_pb2.Breakage(
                service="database", onset_time=stamp(START + timedelta(seconds=16)),
                recovered=True, lead=length(12), also_under=["x-2", "x-3"],
            )],
        ),
    )  # fmt: skip


def incident() -> incident_pb2.Incident:
    return incident_pb2.Incident(
        id="i-1", run_id="run", state=incident_pb2.INCIDENT_STATE_OPEN,
        onset_time=stamp(START + timedelta(seconds=16)), probable_origin="database",
        foretold=True, lead=length(12),
        services=[incident_pb2.ServiceIncident(
            service="database", onset_time=stamp(START + timedelta(seconds=16)),
            error_rate_percent=incident_pb2.Peak(value=90.4),
        )],
    )  # fmt: skip


def alarm() -> alarm_pb2.Alarm:
    return alarm_pb2.Alarm(
        id="a-1", run_id="run", service="database", probability=0.64,
        raise_time=stamp(START + timedelta(seconds=4)), outcome=alarm_pb2.ALARM_OUTCOME_FORETOLD,
        incident_type=prediction_pb2.INCIDENT_TYPE_SERVICE_DOWN, lead=length(12),
    )  # fmt: skip


def slos() -> incident_service_pb2.ListSlosResponse:
    return incident_service_pb2.ListSlosResponse(
        budget_period=length(43_200),
        policies=[slo_pb2.BurnRatePolicy(long_window=length(360), burn_rate=6.0)],
        services=[slo_pb2.ServiceSlos(service="database", objectives=[slo_pb2.SloStatus(
            objective=slo_pb2.OBJECTIVE_AVAILABILITY, target=99.9, budget_left=-0.05,
            burn_rates=[slo_pb2.BurnRate(long=12.0, short=3.0)],
            alerts=[slo_pb2.SloAlert(severity=slo_pb2.ALERT_SEVERITY_PAGE, firing=True)],
        )])],
    )  # fmt: skip


def events() -> tuple[event_pb2.Event, ...]:
    def one(number: int, kind: event_pb2.EventKind.ValueType, text: str) -> event_pb2.Event:
        return event_pb2.Event(
            cursor=event_pb2.EventCursor(run_id="run", sequence=number), kind=kind, text=text,
            time=stamp(START + timedelta(seconds=number)), services=["database"],
        )  # fmt: skip

    return (
        one(3, event_pb2.EVENT_KIND_ALARM_RAISED, "an incident of database is expected"),
        one(2, event_pb2.EVENT_KIND_FAULT_STARTED, "service kill on database begins"),
        one(1, event_pb2.EVENT_KIND_STATUS_CHANGED, "database is degraded"),
    )


def records(**changes: object) -> Records:
    known = Records(
        incidents=[incident()], experiments=[experiment()], alarms=[alarm()], slos=slos(),
        models=[model_pb2.Model(version="2-abc", active=True, alarm_threshold=0.28)], training=[],
        info=simulation_service_pb2.GetServerInfoResponse(version="0.1.0", model_version="2-abc"),
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


def state(*snapshots: snapshot_pb2.Snapshot, connected: bool = True, **changes: object) -> State:
    known = State(
        connected=connected,
        reason="" if connected else "no SRE Edge server answers at 127.0.0.1:50051",
        topology=topology() if snapshots else None,
        snapshots=snapshots,
        clock=clock_pb2.Clock(speed=1.0),
        catalog=catalog(),
    )
    return replace(known, **changes)  # type: ignore[arg-type]


class FakeProvider:
    """Answers from a state that a test sets, and remembers what was asked of it."""

    target = "127.0.0.1:50051"
    tabs = 2

    def __init__(self, known: State) -> None:
        self.state = known
        self.asked: list[tuple[object, ...]] = []

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def refresh(self, *names: str) -> None:
        self.asked.append(("refresh", *names))

    def history(
        self, service: str, metrics: Sequence[str], start: datetime, end: datetime | None
    ) -> simulation_service_pb2.QueryHistoryResponse:
        series = [
            history_pb2.HistorySeries(
                service=service, metric=metric, minimum=[1.0, math.nan], maximum=[2.0, math.nan]
            )
            for metric in metrics
        ]
        return simulation_service_pb2.QueryHistoryResponse(
            start_time=stamp(start), bucket_seconds=2.0, series=series
        )

    def moment(self, time: datetime) -> snapshot_pb2.Snapshot:
        if time < START:
            raise NotFound("the history holds no snapshot of that time")
        return snapshot(1)

    def explain(self, service: str) -> prediction_pb2.Prediction:
        return prediction_pb2.Prediction(
            service=service, features={"cpu_percent": 45.0}, confidence=0.9,
            incident_type=prediction_pb2.INCIDENT_TYPE_SERVICE_DOWN,
            recommendations=[prediction_pb2.Recommendation(action="Restart database.")],
            top_factors=[prediction_pb2.Factor(description="replicas are missing", contribution=2)],
        )  # fmt: skip

    def analysis(self, service: str) -> prediction_service_pb2.GetAnalysisResponse:
        hops = [analysis_pb2.Hop(service=service, share=1.0)]
        return prediction_service_pb2.GetAnalysisResponse(
            services=[analysis_pb2.ServiceAnalysis(service=service, health=1.0, cascade_risk=0.5)],
            critical_paths=[analysis_pb2.CriticalPath(entry="api-gateway", hops=hops)],
        )

    def experiment(self, experiment_id: str) -> experiment_pb2.Experiment:
        return experiment()

    def model(self, version: str) -> prediction_service_pb2.GetModelResponse:
        return prediction_service_pb2.GetModelResponse(
            model=model_pb2.Model(version="2-abc", active=True),
            card="# Card\n\nUse it **well**.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |",
            curves=model_pb2.ModelCurves(
                reliability=[model_pb2.ReliabilityBin(said=0.1, happened=0.12, rows=9)]
            ),
        )

    def inject(self, target: str, kind: object, **values: object) -> fault_pb2.Fault:
        self.asked.append(("inject", target, kind, values))
        return fault(target)

    def run_scenario(self, document: str) -> experiment_pb2.Experiment:
        self.asked.append(("run_scenario", document))
        return experiment()

    def stop(self, *, fault: str = "", experiment: str = "") -> int:
        self.asked.append(("stop", fault, experiment))
        return 1

    def kill_switch(self, *, engage: bool) -> None:
        self.asked.append(("kill_switch", engage))

    def reset(self) -> None:
        raise Unavailable("no SRE Edge server answers")

    def set_clock(self, *, paused: bool | None = None, speed: float | None = None) -> None:
        self.asked.append(("set_clock", paused, speed))

    def activate(self, version: str) -> str:
        return "1-old"

    def train(self, **sizes: int) -> training_pb2.Training:
        self.asked.append(("train", *sizes.items()))
        return training_pb2.Training(id=7)
