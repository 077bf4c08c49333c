"""A provider without a server, with as much state as a test gives it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dashboard.provider import State
from sre_edge.v1 import fault_pb2, prediction_pb2, snapshot_pb2, topology_pb2

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


def state(*snapshots: snapshot_pb2.Snapshot, connected: bool = True) -> State:
    return State(
        connected=connected,
        reason="" if connected else "no SRE Edge server answers at 127.0.0.1:50051",
        topology=topology() if snapshots else None,
        snapshots=snapshots,
    )


class FakeProvider:
    """Answers from a state that a test sets."""

    def __init__(self, known: State) -> None:
        self.state = known

    def inject(
        self,
        target: str,
        kind: fault_pb2.FaultKind.ValueType,
        duration_s: float,
        intensity: float | None,
        ramp_s: float | None,
    ) -> fault_pb2.Fault:
        return fault(target)

    def stop(self, fault_id: str | None) -> int:
        return 1

    def reset(self) -> None:
        return None

    def features(self, service: str) -> prediction_pb2.Prediction:
        return prediction_pb2.Prediction(service=service, features={"cpu_percent": 45.0})
