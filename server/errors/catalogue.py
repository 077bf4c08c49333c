"""The catalogue of reasons, and the error that is reported to a client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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


def listed(names: list[str]) -> str:
    """List names for people; of many, the first ones."""
    more = len(names) - MAX_KNOWN_NAMES
    listed = ", ".join(names[:MAX_KNOWN_NAMES])
    return f"{listed} and {more} more" if more > 0 else listed
