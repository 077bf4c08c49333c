"""The errors that a client can meet: one catalogue, without any wire format in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

MAX_KNOWN_NAMES = 50


class Reason(Enum):
    """Why a call failed; the names are those of `sre_edge.v1.ErrorReason` without its prefix."""

    INVALID_FIELD = auto()
    UNKNOWN_SERVICE = auto()
    UNKNOWN_FAULT = auto()
    TOO_MANY_FAULTS = auto()
    TOO_MANY_STREAMS = auto()
    SLOW_SUBSCRIBER = auto()
    NO_PREDICTION_YET = auto()
    SHUTTING_DOWN = auto()
    UNKNOWN_MODEL = auto()
    UNUSABLE_MODEL = auto()
    UNKNOWN_TRAINING = auto()
    TRAINING_RUNS = auto()
    TRAINING_UNAVAILABLE = auto()
    NOTHING_TO_LEARN = auto()
    STORE_UNAVAILABLE = auto()
    INTERNAL = auto()
    NOT_IN_HISTORY = auto()
    UNAUTHENTICATED = auto()
    TOO_MANY_CALLS = auto()
    UNKNOWN_EXPERIMENT = auto()
    KILL_SWITCH_ENGAGED = auto()
    REQUEST_ID_REUSED = auto()
    NOT_SUPPORTED_BY_SOURCE = auto()


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of a request that is wrong, and what was expected of it."""

    field: str
    description: str


class ServerError(Exception):
    """An error that a client is told.

    Attributes
    ----------
    reason
        From the catalogue.
    message
        For people; never a stack trace.
    metadata
        For programs.
    violations
        Of a bad request.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[Violation] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)


def invalid(violations: Iterable[Violation]) -> ServerError:
    """Report a bad request: every field that is wrong, at once."""
    listed = tuple(violations)
    message = "; ".join(f"{v.field}: {v.description}" for v in listed)
    return ServerError(Reason.INVALID_FIELD, message, violations=listed)


def _listed(names: list[str]) -> str:
    more = len(names) - MAX_KNOWN_NAMES
    listed = ", ".join(names[:MAX_KNOWN_NAMES])
    return f"{listed} and {more} more" if more > 0 else listed


def unknown_service(name: str, known: Iterable[str]) -> ServerError:
    """Report that no service has this name."""
    names = list(known)
    return ServerError(
        Reason.UNKNOWN_SERVICE,
        f"no service is named {name!r}; known: {_listed(names)}",
        {"service": name, "known": ",".join(names[:MAX_KNOWN_NAMES])},
    )


def unknown_fault(fault_id: str) -> ServerError:
    """Report that no fault that acts has this identifier."""
    return ServerError(
        Reason.UNKNOWN_FAULT,
        f"no fault that acts has the identifier {fault_id!r}",
        {"fault_id": fault_id},
    )


def unknown_experiment(experiment_id: str, *, going_on: bool = False) -> ServerError:
    """Report that no experiment, or none that goes on, has this identifier."""
    which = "experiment that goes on" if going_on else "experiment"
    return ServerError(
        Reason.UNKNOWN_EXPERIMENT,
        f"no {which} has the identifier {experiment_id!r}",
        {"experiment_id": experiment_id},
    )


def not_supported_by_source(what: str) -> ServerError:
    """Report what the source of a system cannot do."""
    return ServerError(
        Reason.NOT_SUPPORTED_BY_SOURCE,
        f"the source of this system cannot do that: {what}",
        {"what": what},
    )


def kill_switch_engaged() -> ServerError:
    """Report that no fault is taken."""
    return ServerError(
        Reason.KILL_SWITCH_ENGAGED,
        "the kill switch is on, so no fault is taken; ChaosService/LiftKillSwitch lifts it",
    )


def request_id_reused(request_id: str) -> ServerError:
    """Report that something else was asked for under the same identifier."""
    return ServerError(
        Reason.REQUEST_ID_REUSED,
        f"something else was asked for as request {request_id!r} before; nothing was done now",
        {"request_id": request_id},
    )


def too_many_faults(limit: int) -> ServerError:
    """Report that as many faults act as are allowed."""
    return ServerError(
        Reason.TOO_MANY_FAULTS,
        f"expected at most {limit} faults that act or wait at a time; stop some first",
        {"limit": str(limit)},
    )


def too_many_streams(limit: int) -> ServerError:
    """Report that as many streams are open as are allowed."""
    return ServerError(
        Reason.TOO_MANY_STREAMS,
        f"{limit} streams are open already, which is the limit",
        {"limit": str(limit)},
    )


def too_many_calls(limit: int) -> ServerError:
    """Report that as many calls are being answered as are allowed."""
    return ServerError(
        Reason.TOO_MANY_CALLS,
        f"{limit} calls are being answered already, which is the limit; try again soon",
        {"limit": str(limit)},
    )


def unauthenticated() -> ServerError:
    """Report that the token is missing or wrong."""
    return ServerError(
        Reason.UNAUTHENTICATED,
        'expected the token of this server, in the metadata "authorization: Bearer TOKEN"',
    )


def slow_subscriber(seconds: float) -> ServerError:
    """Report that a subscriber did not read for too long."""
    return ServerError(
        Reason.SLOW_SUBSCRIBER, f"nothing was read for {seconds:g} s; resume with the last cursor"
    )


def no_prediction_yet() -> ServerError:
    """Report that the model has not seen enough yet."""
    return ServerError(
        Reason.NO_PREDICTION_YET, "the model has not seen enough of the system yet; try again soon"
    )


def unknown_model(version: str, known: Iterable[str]) -> ServerError:
    """Report that no model has this version."""
    names = list(known)
    return ServerError(
        Reason.UNKNOWN_MODEL,
        f"no model has the version {version!r}; known: {_listed(names)}",
        {"version": version, "known": ",".join(names[:MAX_KNOWN_NAMES])},
    )


def unusable_model(version: str, problem: str) -> ServerError:
    """Report that a model cannot be made live."""
    return ServerError(
        Reason.UNUSABLE_MODEL,
        f"model {version} cannot be used: {problem}; the live model stays",
        {"version": version},
    )


def unknown_training(number: int | None) -> ServerError:
    """Report that there was no such training, or none at all."""
    if number is None:
        return ServerError(Reason.UNKNOWN_TRAINING, "there has been no training yet")
    return ServerError(
        Reason.UNKNOWN_TRAINING,
        f"there has been no training {number}",
        {"training_id": str(number)},
    )


def training_runs(number: int) -> ServerError:
    """Report that a training runs already."""
    return ServerError(
        Reason.TRAINING_RUNS,
        f"training {number} still runs; only one does at a time",
        {"training_id": str(number)},
    )


def training_needs(libraries: Iterable[str]) -> ServerError:
    """Report that what training needs is not installed."""
    names = ", ".join(libraries)
    return ServerError(
        Reason.TRAINING_UNAVAILABLE,
        f"training needs its extra: pip install 'sre-edge[train]' (not installed: {names})",
    )


def nothing_to_learn(known: int, needed: int) -> ServerError:
    """Report that too few experiments have been recorded."""
    return ServerError(
        Reason.NOTHING_TO_LEARN,
        f"{needed} recorded experiments are needed, one to learn from and one to judge by; there "
        f"are {known}: inject faults, and wait until their effects have passed",
        {"experiments": str(known), "needed": str(needed)},
    )


def store_unavailable() -> ServerError:
    """Report that the database does not do what it must; details are in the log alone."""
    return ServerError(
        Reason.STORE_UNAVAILABLE, "the server's database does not answer; its log has details"
    )


def shutting_down() -> ServerError:
    """Report that the server is stopping."""
    return ServerError(Reason.SHUTTING_DOWN, "the server is stopping; try again soon")


def not_in_history(oldest: datetime, latest: datetime) -> ServerError:
    """Report that no snapshot of that time is kept; the times are those of the first and last."""
    span = {"oldest": oldest.isoformat(), "latest": latest.isoformat()}
    return ServerError(
        Reason.NOT_IN_HISTORY,
        "the history holds no snapshot of that time, only from {oldest} to {latest}".format(**span),
        span,
    )


def internal() -> ServerError:
    """Report what must not happen; details are in the log alone."""
    return ServerError(Reason.INTERNAL, "something went wrong in the server; its log has details")
