"""A request for faults: accepted, stored, and only then carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from server.experiments.tracked_fault import TrackedFault
from server.experiments.validation import not_possible
from server.ports import FaultInjector
from server.records.experiments import Experiment
from telemetry.faults import Fault, FaultError


@dataclass(eq=False, slots=True)
class Injection:
    """An accepted request for faults.

    Attributes
    ----------
    experiment
        The experiment as it was accepted, which is the answer.
    request_id
        Identifier that the client chose; "" for none.
    content
        Digest of what was asked for.
    problem
        Why it was withdrawn; None while it holds.
    wait
        Waits until the request is stored; raises `ServerError` if that fails. None: it has not been
        handed to the store.
    """

    experiment: Experiment
    request_id: str
    content: str
    problem: Exception | None = None
    wait: Callable[[], None] | None = None

    @property
    def id(self) -> str:
        """Identifier of the experiment."""
        return self.experiment.id


def resolve_all(injector: FaultInjector, faults: Iterable[Fault], now_s: float) -> list[Fault]:
    """Find the targets of faults whose times count from now; they are ordered by start.

    Raises
    ------
    ServerError
        INVALID_FIELD.
    """
    due = [replace(fault, start_s=now_s + fault.start_s) for fault in faults]
    try:
        return [injector.resolve(fault) for fault in sorted(due, key=lambda fault: fault.start_s)]
    except FaultError as error:
        raise not_possible(error) from error


def inject_all(injector: FaultInjector | None, faults: Iterable[TrackedFault]) -> None:
    """Inject all faults that have not been stopped, or none.

    Raises
    ------
    ServerError
        INVALID_FIELD.
    """
    assert injector is not None  # noqa: S101 - they would not have been accepted
    injected: list[Fault] = []
    try:
        for fault in (one.fault for one in faults if one.live):
            injected.append(injector.inject(fault))  # noqa: PERF401 - known if the next one fails
    except Exception as error:
        for one in injected:
            injector.stop(one)
        if isinstance(error, FaultError):
            raise not_possible(error) from error
        raise
