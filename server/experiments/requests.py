"""Faults that somebody asks for: what may be asked, and what was answered already."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from server.errors import ServerError, Violation, invalid, request_id_reused, unknown_service
from server.ports import Scenario
from telemetry.faults import EDGE, FAULTS, Fault, FaultError, beyond_limits, check
from telemetry.graph import ServiceGraph

MAX_DOCUMENT_CHARACTERS = 65_536
MAX_REQUEST_ID = 128
MAX_REMEMBERED_FAULTS = 10_000
"""Faults in the answers to requests that may be sent again."""
DOCUMENT = "document"
_PUBLIC_FIELDS = {"duration_s": "duration", "ramp_s": "ramp"}

Answer = TypeVar("Answer")


def check_fault(fault: Fault, graph: ServiceGraph) -> None:
    """Check everything at once, so that a client learns of all that is wrong.

    Raises
    ------
    ServerError
        INVALID_FIELD or UNKNOWN_SERVICE.
    """
    wrong = [_violation(field, expected) for field, expected in beyond_limits(fault)]
    if wrong:
        raise invalid(wrong)
    for name in fault.target.split(EDGE, 1) if fault.target else ():
        if name not in graph.index:
            raise unknown_service(name, graph.names)
    try:
        check(fault, graph)
    except FaultError as error:
        raise impossible(error) from error


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
    """Check that a live system takes a scenario.

    Raises
    ------
    ServerError
        INVALID_FIELD; each violation's field is `document` with the path inside of it.
    """
    wrong = list(_beyond_limits(scenario))
    if wrong:
        raise invalid(wrong)


def impossible(error: FaultError) -> ServerError:
    """Report what makes a fault impossible in a system."""
    return invalid([_violation(error.field, str(error).partition(": ")[2])])


@dataclass(frozen=True, slots=True)
class _Answered:
    content: object
    answer: Any
    faults: int


class Answers:
    """Remembers what was answered to requests that have an identifier: they may be sent again."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, _Answered] = OrderedDict()
        self._faults = 0

    def once(
        self, request_id: str, content: object, faults: int, act: Callable[[], Answer]
    ) -> Answer:
        """Do what is asked, unless it was done under this identifier already.

        Parameters
        ----------
        request_id
            "" is none.
        content
            What is asked.
        faults
            How many faults the answer holds.
        act
            Does it.

        Raises
        ------
        ServerError
            INVALID_FIELD for an identifier that is too long, REQUEST_ID_REUSED, or what `act`
            raises.
        """
        if len(request_id) > MAX_REQUEST_ID:
            expected = f"expected at most {MAX_REQUEST_ID} characters, got {len(request_id)}"
            raise invalid([Violation("request_id", expected)])
        if request_id in self._answers:
            known = self._answers[request_id]
            if known.content != content:
                raise request_id_reused(request_id)
            answer: Answer = known.answer
            return answer
        answer = act()
        if request_id:
            self._answers[request_id] = _Answered(content, answer, faults)
            self._faults += faults
            while self._faults > MAX_REMEMBERED_FAULTS:
                self._faults -= self._answers.popitem(last=False)[1].faults
        return answer


def _violation(field: str, expected: str) -> Violation:
    return Violation(_PUBLIC_FIELDS.get(field, field), expected)


def _beyond_limits(scenario: Scenario) -> Iterator[Violation]:
    if scenario.states_load:
        expected = "expected none: a system that runs keeps its load; use traffic_surge"
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
