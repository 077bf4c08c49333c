"""Validation of requested faults and scenarios."""

from __future__ import annotations

from collections.abc import Iterator, Set

from server.errors import (
    ServerError,
    Violation,
    invalid,
    kill_switch_engaged,
    not_supported_by_source,
    unknown_service,
)
from server.experiments.kill_switch import KillSwitch
from server.ports import FaultInjector, Scenario
from telemetry.faults import EDGE, FAULTS, Fault, FaultError, FaultKind, beyond_limits, check
from telemetry.graph import ServiceGraph

MAX_DOCUMENT_CHARACTERS = 65_536
DOCUMENT = "document"
_PUBLIC_FIELDS = {"duration_s": "duration", "ramp_s": "ramp"}


def check_accepting(
    injector: FaultInjector | None, kinds: Set[FaultKind], kill_switch: KillSwitch
) -> None:
    """Check that faults of these kinds are accepted now.

    Raises
    ------
    ServerError
        NOT_SUPPORTED_BY_SOURCE or KILL_SWITCH_ENGAGED.
    """
    if injector is None:
        raise not_supported_by_source("faults")
    if missing := kinds - injector.kinds:
        raise not_supported_by_source(", ".join(sorted(missing)))
    if kill_switch.engaged:
        above = kill_switch.above
        raise kill_switch_engaged(for_all=above is not None and above.engaged)


def check_fault(fault: Fault, graph: ServiceGraph) -> None:
    """Check all fields of a fault, so that a client gets all problems at once.

    Raises
    ------
    ServerError
        INVALID_FIELD or UNKNOWN_SERVICE.
    """
    violations = [_violation(field, expected) for field, expected in beyond_limits(fault)]
    if violations:
        raise invalid(violations)
    for name in fault.target.split(EDGE, 1) if fault.target else ():
        if name not in graph.index:
            raise unknown_service(name, graph.names)
    try:
        check(fault, graph)
    except FaultError as error:
        raise not_possible(error) from error


def check_document(document: str) -> None:
    """Check the size of a scenario document.

    Raises
    ------
    ServerError
        INVALID_FIELD.
    """
    if len(document) > MAX_DOCUMENT_CHARACTERS:
        expected = f"expected at most {MAX_DOCUMENT_CHARACTERS} characters, got {len(document)}"
        raise invalid([Violation(DOCUMENT, expected)])


def check_scenario(scenario: Scenario) -> None:
    """Check that a scenario can run on a live system.

    Raises
    ------
    ServerError
        INVALID_FIELD; each violation's field is `document` with the path inside of it.
    """
    violations = list(_beyond_limits(scenario))
    if violations:
        raise invalid(violations)


def not_possible(error: FaultError) -> ServerError:
    """Report why a fault is not possible in a system."""
    return invalid([_violation(error.field, str(error).partition(": ")[2])])


def _violation(field: str, expected: str) -> Violation:
    return Violation(_PUBLIC_FIELDS.get(field, field), expected)


def _beyond_limits(scenario: Scenario) -> Iterator[Violation]:
    if scenario.states_load:
        expected = "expected none: a running system keeps its load; use traffic_surge"
        yield Violation(f"{DOCUMENT}[0].load", expected)
    if not scenario.faults:
        yield Violation(f"{DOCUMENT}[0].faults", "expected at least one fault")
    for i, fault in enumerate(scenario.faults):
        place, limits = f"{DOCUMENT}[0].faults[{i}]", FAULTS[fault.kind]
        if fault.duration_s > limits.max_duration_s:
            yield Violation(f"{place}.duration_s", f"expected at most {limits.max_duration_s:g}")
        if fault.intensity > limits.max_intensity:
            yield Violation(f"{place}.intensity", f"expected at most {limits.max_intensity:g}")
        if fault.start_s > scenario.seconds:
            expected = f"expected at most the scenario's {scenario.seconds:g} s"
            yield Violation(f"{place}.start_s", expected)
