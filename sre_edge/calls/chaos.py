"""Faults and experiments."""

from __future__ import annotations

import math
import uuid
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from sre_edge.calls.descriptors import Call, Follow
from sre_edge.errors import InvalidRequest, Violation
from sre_edge.exchange import Exchange, Following, Pause, Update, ask
from sre_edge.v1 import chaos_service_pb2, experiment_pb2, fault_pb2


def inject(
    target: str,
    kind: str | fault_pb2.FaultKind.ValueType,
    *,
    duration_s: float,
    intensity: float | None = None,
    ramp_s: float | None = None,
    share: float | None = None,
    request_id: str | None = None,
) -> Exchange[fault_pb2.Fault]:
    """Inject a fault.

    Parameters
    ----------
    target
        Service, or "caller->callee" for a partition of one edge.
    kind
        Name of the kind, such as "cpu_spike", or the enum value.
    duration_s, intensity, ramp_s, share
        As in `InjectChaosRequest`; None: the server's default.
    request_id
        Identifier of the request: one that was sent before is not carried out again. None: a new
        identifier, so that a retry over a lost connection does no harm.

    Raises
    ------
    Refused
        If the server refuses it, or a value cannot be sent.
    """
    request = chaos_service_pb2.InjectChaosRequest(
        target=target,
        kind=fault_kind(kind) if isinstance(kind, str) else kind,
        duration=_duration("duration", duration_s),
        intensity=intensity,
        ramp=None if ramp_s is None else _duration("ramp", ramp_s),
        share=share,
        request_id=uuid.uuid4().hex if request_id is None else request_id,
    )
    return (yield from ask(lambda stubs: stubs.chaos.InjectChaos, request)).fault


def run_scenario(
    document: str, *, request_id: str | None = None
) -> Exchange[experiment_pb2.Experiment]:
    """Run the faults of a scenario document, YAML or JSON, from now on.

    Raises
    ------
    InvalidRequest
        If the document cannot be used; `violations` name the places in it.
    """
    request = chaos_service_pb2.RunScenarioRequest(
        document=document, request_id=uuid.uuid4().hex if request_id is None else request_id
    )
    return (yield from ask(lambda stubs: stubs.chaos.RunScenario, request)).experiment


def stop(fault_id: str) -> Exchange[list[fault_pb2.Fault]]:
    """End a fault before its time."""
    request = chaos_service_pb2.StopChaosRequest(fault_id=fault_id)
    return list((yield from ask(lambda stubs: stubs.chaos.StopChaos, request)).stopped)


def stop_experiment(experiment_id: str) -> Exchange[list[fault_pb2.Fault]]:
    """End the faults of an experiment before their time."""
    request = chaos_service_pb2.StopChaosRequest(experiment_id=experiment_id)
    return list((yield from ask(lambda stubs: stubs.chaos.StopChaos, request)).stopped)


def stop_all(
    *, kill_switch: bool = False, every_system: bool = False
) -> Exchange[list[fault_pb2.Fault]]:
    """End all faults, of one system or of all.

    With the kill switch, no new ones are accepted until it is lifted.
    """
    request = chaos_service_pb2.StopChaosRequest(all=True, every_system=every_system)
    if kill_switch:
        request.kill_switch = True
    return list((yield from ask(lambda stubs: stubs.chaos.StopChaos, request)).stopped)


def lift_kill_switch(*, every_system: bool = False) -> Exchange[bool]:
    """Have the server accept faults again; return whether the kill switch was on.

    `every_system`: the kill switch for all systems, not the one of a system.
    """
    request = chaos_service_pb2.LiftKillSwitchRequest(every_system=every_system)
    return (yield from ask(lambda stubs: stubs.chaos.LiftKillSwitch, request)).lifted


def experiments(count: int = 50) -> Exchange[list[experiment_pb2.Experiment]]:
    """List the newest experiments, at most `count`, without what broke in each."""
    request = chaos_service_pb2.ListExperimentsRequest(page_size=count)
    return list((yield from ask(lambda stubs: stubs.chaos.ListExperiments, request)).experiments)


def experiment(experiment_id: str) -> Exchange[experiment_pb2.Experiment]:
    """Get an experiment with its outcome."""
    request = chaos_service_pb2.GetExperimentRequest(experiment_id=experiment_id)
    return (yield from ask(lambda stubs: stubs.chaos.GetExperiment, request)).experiment


def follow_experiment(
    experiment_id: str, *, every_s: float = 1.0
) -> Following[experiment_pb2.Experiment]:
    """Follow an experiment until it is finished; yields it whenever it has changed."""
    last = None
    while True:
        known = yield from experiment(experiment_id)
        if known != last:
            yield Update(known)
        if known.state == experiment_pb2.EXPERIMENT_STATE_FINISHED:
            return
        last = known
        yield Pause(every_s)


def fault_kind(name: str) -> fault_pb2.FaultKind.ValueType:
    """Give the kind with a name such as "cpu_spike" or "FAULT_KIND_CPU_SPIKE".

    Raises
    ------
    InvalidRequest
        If there is none.
    """
    full = name.upper().replace("-", "_")
    full = full if full.startswith("FAULT_KIND_") else f"FAULT_KIND_{full}"
    if full in fault_pb2.FaultKind.keys()[1:]:
        return fault_pb2.FaultKind.Value(full)
    known = ", ".join(fault_kinds())
    raise _invalid("kind", f"expected one of {known}, got {name!r}")


def fault_kinds() -> list[str]:
    """Names of all kinds of faults, in lower case."""
    return [kind_name(kind) for kind in fault_pb2.FaultKind.values()[1:]]


def kind_name(kind: fault_pb2.FaultKind.ValueType) -> str:
    """Name of a kind of fault, in lower case."""
    return fault_pb2.FaultKind.Name(kind).removeprefix("FAULT_KIND_").lower()


class ChaosMethods:
    """The methods of both clients, each by its description above."""

    inject = Call(inject)
    run_scenario = Call(run_scenario)
    stop = Call(stop)
    stop_experiment = Call(stop_experiment)
    stop_all = Call(stop_all)
    lift_kill_switch = Call(lift_kill_switch)
    experiments = Call(experiments)
    experiment = Call(experiment)
    follow_experiment = Follow(follow_experiment)


def _duration(field: str, seconds: float) -> Duration:
    if not math.isfinite(seconds) or abs(seconds) > 1e9:
        raise _invalid(field, f"expected a finite number of seconds, got {seconds}")
    message = Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def _invalid(field: str, description: str) -> InvalidRequest:
    error = InvalidRequest(f"{field}: {description}", "INVALID_FIELD", code="INVALID_ARGUMENT")
    error.violations = (Violation(field, description),)
    return error
