"""Learning mode: start a training, see its progress and its result."""

from __future__ import annotations

from dashboard.markup import Node, h
from dashboard.text.names import TRAINING_SIZES, training_state
from dashboard.views import parts
from dashboard.views.scene import Scene
from sre_edge.v1 import training_pb2


def mode(scene: Scene) -> list[Node]:
    """Learning mode: start a training, see its progress and its result."""
    records = scene.state.records
    going = any(one.state == training_pb2.TRAINING_STATE_RUNNING for one in records.training or ())
    return [
        h("p", "Trains a candidate from the live model, with your experiments and simulated "
               "systems. It goes live by itself only if it is shown to be better."),
        h(
            "form",
            h(
                "details",
                h("summary", "Size of the training"),
                h("div.fields", [_size(name, *size) for name, size in TRAINING_SIZES.items()]),
            ),
            h("div.actions", h("button.primary", "Learn from experiments", type="submit",
                               id="train", disabled=going or not scene.state.connected)),
            h("p.message", id="training-message", role="status", data_filled=True),
            id="training-form", data_action="train", data_message="training-message",
            novalidate=True,
        ),
        *parts.listing(records, "training", lambda some: [_training(one) for one in some],
                       records.training, parts.empty("No training has run here yet.")),
    ]  # fmt: skip


def _size(name: str, label: str, says: str) -> Node:
    return h(
        "label.field",
        h("span", label),
        h("input", type="number", name=name, min="1", placeholder="default", title=says,
          inputmode="numeric"),
    )  # fmt: skip


def _training(one: training_pb2.Training) -> Node:
    running = one.state == training_pb2.TRAINING_STATE_RUNNING
    percent = 100.0 * one.share_done
    comparisons = [
        h("li", f"{_compared_on(done.compared_on)}, {done.episodes} episodes: "
                f"foreseen {100 * done.recall.current:.0f} → {100 * done.recall.candidate:.0f} %, "
                f"Brier {done.brier.current:.3g} → {done.brier.candidate:.3g}")
        for done in one.comparisons
    ]  # fmt: skip
    return h(
        "article.training",
        h("p", h("strong", f"Training {one.id}"), f": {training_state(one.state)}",
          f", {one.stage}" if running and one.stage else ""),
        h("progress", max="100", value=f"{percent:.0f}", aria_label="Progress of the training")
        if running else None,
        h("p.muted", f"{percent:.0f} % done. {one.message}" if running else one.message),
        h("ul", comparisons) if comparisons else None,
        key=str(one.id),
    )  # fmt: skip


def _compared_on(where: training_pb2.ComparedOn.ValueType) -> str:
    return {
        training_pb2.COMPARED_ON_SIMULATED: "On simulated systems",
        training_pb2.COMPARED_ON_LIVE: "On live experiments",
    }.get(where, "On all")
