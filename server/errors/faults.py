"""Errors about faults and experiments."""

from __future__ import annotations

from server.errors.catalogue import Reason, ServerError


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
