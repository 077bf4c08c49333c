"""Faults that somebody asks for: what may be asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from server.errors import ServerError, Violation, invalid, unknown_service
from simulator.faults.scenario import Scenario, ScenarioError, parse_scenarios
from telemetry.faults import EDGE, FAULTS, Fault, FaultError, FaultKind, beyond_limits, check
from telemetry.graph import ServiceGraph

MAX_DOCUMENT_CHARACTERS = 65_536
DOCUMENT = "document"
_PUBLIC_FIELDS = {"duration_s": "duration", "ramp_s": "ramp"}


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """A fault that somebody asks for; it starts with the next step.

    Attributes
    ----------
    target, kind, duration_s, intensity, ramp_s, share
        As in `telemetry.faults.Fault`.
    """

    target: str
    kind: FaultKind
    duration_s: float
    intensity: float = 1.0
    ramp_s: float = 0.0
    share: float = 1.0

    @staticmethod
    def of(fault: Fault) -> FaultOrder:
        """Order a fault like another, whenever that begins."""
        return FaultOrder(
            fault.target, fault.kind, fault.duration_s, fault.intensity, fault.ramp_s, fault.share
        )

    def fault(self, start_s: float, default: str) -> Fault:
        """Give the fault that is meant, from a second of the run on; `default` is its target."""
        return Fault(
            target=self.target or default,
            kind=self.kind,
            start_s=start_s,
            duration_s=self.duration_s,
            intensity=self.intensity,
            ramp_s=self.ramp_s,
            share=self.share,
        )


def check_order(order: FaultOrder, graph: ServiceGraph) -> None:
    """Check everything at once, so that a client learns of all that is wrong.

    Raises
    ------
    ServerError
        INVALID_FIELD or UNKNOWN_SERVICE.
    """
    fault = order.fault(0.0, "")
    wrong = [
        Violation(_PUBLIC_FIELDS.get(field, field), expected)
        for field, expected in beyond_limits(fault)
    ]
    if wrong:
        raise invalid(wrong)
    for name in order.target.split(EDGE, 1) if order.target else ():
        if name not in graph.index:
            raise unknown_service(name, graph.names)
    try:
        check(fault, graph)
    except FaultError as error:
        raise explained(error) from error


def parse_scenario(document: str, graph: ServiceGraph) -> Scenario:
    """Parse a document of one scenario for a system that runs already.

    Raises
    ------
    ServerError
        INVALID_FIELD; each violation's field is `document` with the path inside of it.
    """
    if len(document) > MAX_DOCUMENT_CHARACTERS:
        expected = f"expected at most {MAX_DOCUMENT_CHARACTERS} characters, got {len(document)}"
        raise invalid([Violation(DOCUMENT, expected)])
    try:
        scenarios = parse_scenarios(document, graph, source=DOCUMENT)
    except ScenarioError as error:
        raise invalid(_located(error.problems)) from error
    if len(scenarios) > 1:
        expected = f"expected one scenario, got {len(scenarios)}: run one after the other"
        raise invalid([Violation(DOCUMENT, expected)])
    (scenario,) = scenarios
    wrong = list(_beyond_limits(scenario))
    if wrong:
        raise invalid(wrong)
    return scenario


def explained(error: FaultError) -> ServerError:
    """Report what makes a fault impossible in a system."""
    field = _PUBLIC_FIELDS.get(error.field, error.field)
    return invalid([Violation(field, str(error).partition(": ")[2])])


def _located(problems: Iterable[str]) -> list[Violation]:
    """Make "document: [0].faults[1].kind: expected ..." a violation of that place."""
    located = []
    for problem in problems:
        path, colon, expected = problem.removeprefix(f"{DOCUMENT}: ").partition(": expected")
        if colon and path.startswith("["):
            located.append(Violation(f"{DOCUMENT}{path}", f"expected{expected}"))
        else:
            located.append(Violation(DOCUMENT, problem.removeprefix(f"{DOCUMENT}: ")))
    return located


def _beyond_limits(scenario: Scenario) -> Iterable[Violation]:
    if scenario.load != type(scenario.load)():
        expected = "expected none: a system that runs keeps its load; use traffic_surge"
        yield Violation(f"{DOCUMENT}[0].load", expected)
    if not scenario.faults:
        yield Violation(f"{DOCUMENT}[0].faults", "expected at least one fault")
    for i, fault in enumerate(scenario.faults):
        place = f"{DOCUMENT}[0].faults[{i}]"
        limits = FAULTS[fault.kind]
        if fault.duration_s > limits.max_duration_s:
            yield Violation(f"{place}.duration_s", f"expected at most {limits.max_duration_s:g}")
        if fault.intensity > limits.max_intensity:
            yield Violation(f"{place}.intensity", f"expected at most {limits.max_intensity:g}")
        if fault.start_s > scenario.seconds:
            expected = f"expected at most the scenario's {scenario.seconds:g} s"
            yield Violation(f"{place}.start_s", expected)
