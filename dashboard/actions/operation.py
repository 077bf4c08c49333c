"""Clock, reset, models, learning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.actions.answer import Answer
from dashboard.source.state import Provider
from dashboard.text.names import TRAINING_SIZES
from sre_edge import SreEdgeError

MAX_DIGITS = 9
"""Digits of a training size that the API can hold; the server decides how much is too much."""


def pause(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Stop simulated time."""
    provider.set_clock(paused=True)
    undo = {"name": "resume", "values": {}}
    return {"toast": "The simulated clock is paused, for everyone.", "undo": undo}


def resume(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Resume simulated time."""
    provider.set_clock(paused=False)
    return {"toast": "The simulated clock is running again."}


def speed(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Set how fast simulated time goes."""
    try:
        wanted = float(values.get("value", ""))
    except (TypeError, ValueError):
        raise SreEdgeError("speed: expected a number") from None
    clock = provider.state.clock
    before = clock.speed if clock is not None else 1.0
    provider.set_clock(speed=wanted)
    undo = {"name": "speed", "values": {"value": f"{before:g}"}}
    return {
        "toast": f"The simulated clock runs at {wanted:g} times real time, for everyone.",
        "undo": undo,
    }


def reset(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Begin a new run."""
    provider.reset()
    return {"toast": "A new run has started."}


def activate(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Make a model live."""
    version = str(values.get("version", ""))
    before = provider.activate(version)
    provider.refresh("models")
    answer: Answer = {"toast": f"{version} is live."}
    if before and before != version:
        answer["undo"] = {"name": "activate", "values": {"version": before}, "label": "Roll back"}
    return answer


def train(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Start a training; sizes that are left empty have their defaults."""
    sizes = {}
    for name, (label, _) in TRAINING_SIZES.items():
        if given := str(values.get(name, "")).strip():
            if not given.isdecimal() or len(given) > MAX_DIGITS:
                expected = f"a whole number of {MAX_DIGITS} digits at most"
                raise SreEdgeError(f"{label}: expected {expected}")
            sizes[name] = int(given)
    training = provider.train(**sizes)
    provider.refresh("training")
    return {"toast": f"Training {training.id} has started.", "fill": {"training-message": ""}}


def refresh(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Refresh records from the server."""
    names = str(values.get("names", ""))
    provider.refresh(*filter(None, names.split(",")))
    return {}
