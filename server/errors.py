"""The errors that a client can get: one catalogue, independent of the wire format."""

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
    UNKNOWN_SYSTEM = auto()
    WHICH_SYSTEM = auto()
    SYSTEM_NOT_READY = auto()
    SYSTEM_EXISTS = auto()
    TOO_MANY_SYSTEMS = auto()
    SYSTEM_OF_FILE = auto()
    SYSTEM_IN_USE = auto()
    REQUEST_TOO_LARGE = auto()


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of a request that is wrong, and what was expected."""

    field: str
    description: str


class ServerError(Exception):
    """An error that is reported to a client.

    Attributes
    ----------
    reason
        From the catalogue.
    message
        Sentence for people; never a stack trace.
    metadata
        Facts for programs.
    violations
        Fields of a bad request that are wrong.
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


def unknown_system(system: str, known: Iterable[str]) -> ServerError:
    """Report that no system has this id."""
    names = list(known)
    return ServerError(
        Reason.UNKNOWN_SYSTEM,
        f"no system has the id {system!r}; known: {_listed(names) or 'none'}",
        {"system": system, "known": ",".join(names[:MAX_KNOWN_NAMES])},
    )


def which_system(known: Iterable[str]) -> ServerError:
    """Report that a request names no system, and none is the default."""
    names = list(known)
    return ServerError(
        Reason.WHICH_SYSTEM,
        f"system: expected the id of a system, because none is the default: {_listed(names)}",
        {"known": ",".join(names[:MAX_KNOWN_NAMES])},
        [Violation("system", f"expected one of {_listed(names)}")],
    )


def system_not_ready(system: str, problem: str) -> ServerError:
    """Report that a system has no data yet."""
    return ServerError(Reason.SYSTEM_NOT_READY, f"system {system} {problem}", {"system": system})


def system_exists(system: str) -> ServerError:
    """Report that there is a system with this id."""
    return ServerError(
        Reason.SYSTEM_EXISTS, f"there is a system with the id {system!r}", {"system": system}
    )


def too_many_systems(limit: int) -> ServerError:
    """Report that no more systems are watched."""
    return ServerError(
        Reason.TOO_MANY_SYSTEMS,
        f"{limit} systems are watched, which is the limit; remove one first",
        {"limit": str(limit)},
    )


def system_of_file(system: str) -> ServerError:
    """Report that a system does not come from a call."""
    return ServerError(
        Reason.SYSTEM_OF_FILE,
        f"system {system} was not added by a call: remove it from the systems file, "
        "and send SIGHUP to the server",
        {"system": system},
    )


def system_in_use(system: str) -> ServerError:
    """Report that the records of a watched system are not deleted."""
    return ServerError(
        Reason.SYSTEM_IN_USE,
        f"system {system} is watched; remove it before its records are deleted",
        {"system": system},
    )


def unknown_service(name: str, known: Iterable[str]) -> ServerError:
    """Report that no service has this name."""
    names = list(known)
    return ServerError(
        Reason.UNKNOWN_SERVICE,
        f"no service is named {name!r}; known: {_listed(names)}",
        {"service": name, "known": ",".join(names[:MAX_KNOWN_NAMES])},
    )


def unknown_fault(fault_id: str) -> ServerError:
    """Report that no active fault has this identifier."""
    return ServerError(
        Reason.UNKNOWN_FAULT,
        f"no active fault has the identifier {fault_id!r}",
        {"fault_id": fault_id},
    )


def unknown_experiment(experiment_id: str, *, unfinished: bool = False) -> ServerError:
    """Report that no experiment, or no unfinished one, has this identifier."""
    which = "unfinished experiment" if unfinished else "experiment"
    return ServerError(
        Reason.UNKNOWN_EXPERIMENT,
        f"no {which} has the identifier {experiment_id!r}",
        {"experiment_id": experiment_id},
    )


def not_supported_by_source(what: str) -> ServerError:
    """Report what the source of a system does not support."""
    return ServerError(
        Reason.NOT_SUPPORTED_BY_SOURCE,
        f"the source of this system does not support this: {what}",
        {"what": what},
    )


def kill_switch_engaged(*, for_all: bool) -> ServerError:
    """Report that faults are refused, of this system or of all systems."""
    which = "for all systems " if for_all else ""
    how = " with every_system" if for_all else ""
    return ServerError(
        Reason.KILL_SWITCH_ENGAGED,
        f"the kill switch {which}is engaged, so faults are refused; "
        f"ChaosService/LiftKillSwitch{how} lifts it",
    )


def request_id_reused(request_id: str) -> ServerError:
    """Report that an identifier was used for a different request before."""
    return ServerError(
        Reason.REQUEST_ID_REUSED,
        f"request {request_id!r} was sent before with different content; nothing was done",
        {"request_id": request_id},
    )


def too_many_faults(limit: int) -> ServerError:
    """Report that the limit of active faults is reached."""
    return ServerError(
        Reason.TOO_MANY_FAULTS,
        f"expected at most {limit} active or scheduled faults at a time; stop some first",
        {"limit": str(limit)},
    )


def too_many_streams(limit: int) -> ServerError:
    """Report that the limit of open streams is reached."""
    return ServerError(
        Reason.TOO_MANY_STREAMS,
        f"{limit} streams are already open, which is the limit",
        {"limit": str(limit)},
    )


def too_many_calls(limit: int) -> ServerError:
    """Report that the limit of concurrent calls is reached."""
    return ServerError(
        Reason.TOO_MANY_CALLS,
        f"{limit} calls are already in progress, which is the limit; try again soon",
        {"limit": str(limit)},
    )


def request_too_large(size: int, limit: int) -> ServerError:
    """Report that a request is larger than its call allows."""
    return ServerError(
        Reason.REQUEST_TOO_LARGE,
        f"expected a request of at most {limit:,} bytes, got {size:,}",
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
        Reason.SLOW_SUBSCRIBER,
        f"the client read nothing for {seconds:g} s; resume after the last cursor",
    )


def no_prediction_yet() -> ServerError:
    """Report that the model has not observed the system for long enough."""
    return ServerError(
        Reason.NO_PREDICTION_YET,
        "the model has not observed the system for long enough; try again soon",
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
    """Report that there was no training with this number, or none at all."""
    if number is None:
        return ServerError(Reason.UNKNOWN_TRAINING, "there has been no training yet")
    return ServerError(
        Reason.UNKNOWN_TRAINING,
        f"there has been no training {number}",
        {"training_id": str(number)},
    )


def training_runs(number: int) -> ServerError:
    """Report that a training is already running."""
    return ServerError(
        Reason.TRAINING_RUNS,
        f"training {number} is still running; only one can run at a time",
        {"training_id": str(number)},
    )


def training_needs(libraries: Iterable[str]) -> ServerError:
    """Report that libraries for training are not installed."""
    names = ", ".join(libraries)
    return ServerError(
        Reason.TRAINING_UNAVAILABLE,
        f"training needs more libraries: pip install 'sre-edge[train]' (not installed: {names})",
    )


def nothing_to_learn(known: int, needed: int) -> ServerError:
    """Report that too few experiments have been recorded."""
    return ServerError(
        Reason.NOTHING_TO_LEARN,
        f"training needs {needed} recorded experiments, one to learn from and one to evaluate on, "
        f"but there are {known}: inject faults, and wait until their effects have passed",
        {"experiments": str(known), "needed": str(needed)},
    )


def store_unavailable() -> ServerError:
    """Report that the database failed; details are in the log only."""
    return ServerError(
        Reason.STORE_UNAVAILABLE,
        "the server's database does not respond; the server's log has details",
    )


def shutting_down() -> ServerError:
    """Report that the server is stopping."""
    return ServerError(Reason.SHUTTING_DOWN, "the server is stopping; try again soon")


def not_in_history(oldest: datetime, latest: datetime) -> ServerError:
    """Report that the history has no snapshot of a time; it reaches from `oldest` to `latest`."""
    span = {"oldest": oldest.isoformat(), "latest": latest.isoformat()}
    return ServerError(
        Reason.NOT_IN_HISTORY,
        "the history has no snapshot of that time, only from {oldest} to {latest}".format(**span),
        span,
    )


def internal() -> ServerError:
    """Report an unexpected error; details are in the log only."""
    return ServerError(Reason.INTERNAL, "internal error; the server's log has details")
