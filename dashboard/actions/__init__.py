"""Actions of a page: each takes the values of its control or form, and returns an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dashboard.actions import chaos, operation
from dashboard.actions.answer import Answer
from dashboard.source.state import Provider
from sre_edge import SreEdgeError

Values = Mapping[str, Any]
"""Values by name: a text, or a list of texts where several can be chosen."""

ACTIONS: dict[str, Callable[[Provider, Values], Answer]] = {
    "inject": chaos.inject,
    "effect": chaos.effect,
    "save": chaos.save,
    "save-document": chaos.save_document,
    "save-experiment": chaos.save_experiment,
    "run-scenario": chaos.run_scenario,
    "stop": chaos.stop,
    "kill": chaos.kill,
    "lift": chaos.lift,
    "pause": operation.pause,
    "resume": operation.resume,
    "speed": operation.speed,
    "reset": operation.reset,
    "activate": operation.activate,
    "train": operation.train,
    "refresh": operation.refresh,
}


def perform(provider: Provider, name: str, values: Values) -> Answer:
    """Perform an action by its name; an error becomes an answer as well."""
    doing = ACTIONS.get(name)
    if doing is None:
        return {"error": f"This dashboard cannot {name}."}
    try:
        return doing(provider, values)
    except SreEdgeError as error:
        return {"error": str(error)}
