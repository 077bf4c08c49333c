"""Errors about systems, what they consist of, and what they support."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from server.errors.catalogue import MAX_KNOWN_NAMES, Reason, ServerError, Violation, listed


def unknown_system(system: str, known: Iterable[str]) -> ServerError:
    """Report that no system has this id."""
    names = list(known)
    return ServerError(
        Reason.UNKNOWN_SYSTEM,
        f"no system has the id {system!r}; known: {listed(names) or 'none'}",
        {"system": system, "known": ",".join(names[:MAX_KNOWN_NAMES])},
    )


def which_system(known: Iterable[str]) -> ServerError:
    """Report that a request names no system, and none is the default."""
    names = list(known)
    return ServerError(
        Reason.WHICH_SYSTEM,
        f"system: expected the id of a system, because none is the default: {listed(names)}",
        {"known": ",".join(names[:MAX_KNOWN_NAMES])},
        [Violation("system", f"expected one of {listed(names)}")],
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
        f"no service is named {name!r}; known: {listed(names)}",
        {"service": name, "known": ",".join(names[:MAX_KNOWN_NAMES])},
    )


def not_supported_by_source(what: str) -> ServerError:
    """Report what the source of a system does not support."""
    return ServerError(
        Reason.NOT_SUPPORTED_BY_SOURCE,
        f"the source of this system does not support this: {what}",
        {"what": what},
    )


def no_prediction_yet() -> ServerError:
    """Report that the model has not observed the system for long enough."""
    return ServerError(
        Reason.NO_PREDICTION_YET,
        "the model has not observed the system for long enough; try again soon",
    )


def not_in_history(oldest: datetime, latest: datetime) -> ServerError:
    """Report that the history has no snapshot of a time; it reaches from `oldest` to `latest`."""
    span = {"oldest": oldest.isoformat(), "latest": latest.isoformat()}
    return ServerError(
        Reason.NOT_IN_HISTORY,
        "the history has no snapshot of that time, only from {oldest} to {latest}".format(**span),
        span,
    )
