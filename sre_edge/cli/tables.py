"""What the commands about models print for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.markdown import Markdown
from rich.text import Text

from sre_edge.cli.output import console, plain_table
from sre_edge.quantities import duration, probability
from sre_edge.times import moment
from sre_edge.v1 import model_pb2, prediction_service_pb2, training_pb2


def models(found: Sequence[model_pb2.Model]) -> None:
    """Show all models."""
    heads = ("version", "", "origin", "completed", "foreseen", "precision", "lead", "base")
    shown = plain_table("models, newest first", heads)
    for one in found:
        scores = one.scores
        lead = duration(scores.median_lead.ToTimedelta().total_seconds())
        shown.add_row(
            one.version,
            Text("live", "green") if one.active else Text("unusable" if one.problem else "", "red"),
            model_pb2.ModelOrigin.Name(one.origin).removeprefix("MODEL_ORIGIN_").lower(),
            moment(one.create_time),
            _share(scores, "foreseeable_recall"),
            _share(scores, "event_precision"),
            lead if scores.HasField("median_lead") else "",
            one.base_version,
        )
    console.print(shown)
    for one in found:
        if one.problem:
            console.print(f"{one.version}: {one.problem}")


def card(answer: prediction_service_pb2.GetModelResponse) -> None:
    """Show the card of a model."""
    live = "live" if answer.model.active else "not live"
    console.print(f"{answer.model.version}, {live}")
    if answer.model.problem:
        console.print(answer.model.problem)
    if console.is_terminal:
        console.print(Markdown(answer.card))
    else:
        sys.stdout.write(answer.card)


def training(known: training_pb2.Training) -> None:
    """Show the progress of a training, or its result."""
    state = training_pb2.TrainingState.Name(known.state).removeprefix("TRAINING_STATE_").lower()
    if known.state == training_pb2.TRAINING_STATE_RUNNING:
        stage = f"{known.stage} {known.message}".strip()
        console.print(
            f"training {known.id} is running: {stage}, {known.share_done:.0%} done; "
            "follow it with: sre-edge train --status --wait"
        )
        return
    console.print(f"training {known.id}: {state}")
    if known.message:
        console.print(known.message)
    if known.candidate_version:
        console.print(f"candidate {known.candidate_version}, from {known.base_version}")
    if known.comparisons:
        console.print(_comparisons(known.comparisons))


def _comparisons(groups: Sequence[training_pb2.Comparison]) -> object:
    heads = ("compared on", "episodes", "incidents", "", "live", "candidate", "difference, 95 %")
    shown = plain_table("", heads)
    for group in groups:
        on = training_pb2.ComparedOn.Name(group.compared_on).removeprefix("COMPARED_ON_").lower()
        for name, figure in (
            ("recall at 0.5 false alarms per episode", group.recall),
            ("Brier score", group.brier),
            ("calibration error", group.calibration_error),
        ):
            if name == "calibration error" and not group.HasField("calibration_error"):
                continue
            first = name.startswith("recall")
            shown.add_row(
                on if first else "",
                str(group.episodes) if first else "",
                str(group.incidents) if first else "",
                name,
                f"{figure.current:.3g}",
                f"{figure.candidate:.3g}",
                f"{figure.difference:+.2g} ({figure.difference_low:+.2g} to "
                f"{figure.difference_high:+.2g})",
            )
    return shown


def _share(scores: model_pb2.ModelScores, name: str) -> str:
    return probability(getattr(scores, name)) if scores.HasField(name) else ""  # type: ignore[arg-type]
