"""Errors about models and trainings."""

from __future__ import annotations

from collections.abc import Iterable

from server.errors.catalogue import MAX_KNOWN_NAMES, Reason, ServerError, listed


def unknown_model(version: str, known: Iterable[str]) -> ServerError:
    """Report that no model has this version."""
    names = list(known)
    return ServerError(
        Reason.UNKNOWN_MODEL,
        f"no model has the version {version!r}; known: {listed(names)}",
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
