"""Plots of an evaluation: precision and recall, reliability, lead time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt
from sklearn.metrics import precision_recall_curve

from ml.evaluation.curves import (
    LEAD_STEP_S,
    LONGEST_LEAD_S,
    lead_times,
    operating_points,
    reliability,
)
from ml.evaluation.metrics import event_ratios
from ml.evaluation.pool import Pool, Scored

MIN_ROWS_IN_BIN = 50
LABELS = {
    "model": "this model",
    "oracle": "oracle (knows the state and the faults)",
    "static_threshold": "static thresholds (the seed's rules)",
    "burn_rate": "burn rate",
    "robust_z": "robust z-score",
    "extrapolation": "linear extrapolation",
    "logistic_regression": "logistic regression",
}
COLOURS = dict(zip(LABELS, ("#1f6feb", "#111111", "#d4752c", "#8a63d2", "#2e8b57", "#b5485d",
                           "#7a7a7a"), strict=True))  # fmt: skip


def plots(
    scores: Mapping[str, Sequence[Scored]], thresholds: Mapping[str, float], directory: Path
) -> list[Path]:
    """Write all plots to a directory, which is created; return their paths.

    Parameters
    ----------
    scores
        Scores of each predictor on the same recordings; `model` is among them.
    thresholds
        Alarm threshold of each predictor.
    """
    directory.mkdir(parents=True, exist_ok=True)
    drawn = {
        "events.png": _events(scores, thresholds),
        "precision_recall.png": _precision_recall(scores),
        "reliability.png": _reliability(scores["model"]),
        "lead_time.png": _lead_time(scores["model"], thresholds["model"]),
    }
    for name, figure in drawn.items():
        figure.savefig(directory / name, dpi=120, bbox_inches="tight")
        plt.close(figure)
    return [directory / name for name in drawn]


def _axes(title: str, x: str, y: str) -> tuple[Any, Any]:
    figure, axes = plt.subplots(figsize=(7.0, 4.6))
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _events(scores: Mapping[str, Sequence[Scored]], thresholds: Mapping[str, float]) -> Any:
    figure, axes = _axes(
        "Alarms at every threshold; the dot marks the threshold chosen on validation",
        "foreseeable incidents that were foreseen",
        "precision of alarms",
    )
    for name, scored in scores.items():
        points = [
            (point["foreseeable_recall"], point["event_precision"])
            for point in operating_points(scored)
        ]
        known = [(r, p) for r, p in points[::-1] if r is not None and p is not None]
        # Below the threshold that foresees most, alarms only begin too early or never end.
        known = known[: 1 + max(range(len(known)), key=lambda k: known[k][0])] if known else []
        if known:
            style = {"color": COLOURS[name], "label": LABELS[name]}
            axes.plot(*zip(*known, strict=True), lw=2.4 if name == "model" else 1.3, **style)
        chosen = event_ratios(Pool(scored).count(thresholds[name]).tally)
        if chosen["foreseeable_recall"] is not None and chosen["event_precision"] is not None:
            place = (chosen["foreseeable_recall"], chosen["event_precision"])
            axes.plot(*place, "o", color=COLOURS[name], ms=6)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    return figure


def _precision_recall(scores: Mapping[str, Sequence[Scored]]) -> Any:
    figure, axes = _axes(
        "Rows: does an incident follow within 60 s? Most have no cause yet", "recall", "precision"
    )
    for name, scored in scores.items():
        label, score = _rows(scored)
        precision, recall, _ = precision_recall_curve(label, score)
        thin = np.unique(np.linspace(0, len(recall) - 1, 800).astype(int))
        axes.plot(
            recall[thin], precision[thin], color=COLOURS[name], label=LABELS[name],
            lw=2.4 if name == "model" else 1.3,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize=8)
    return figure


def _reliability(scored: Sequence[Scored]) -> Any:
    figure, axes = _axes(
        "Reliability: predicted against observed",
        "predicted probability",
        "observed share of incidents",
    )
    shown = [group for group in reliability(scored) if group["rows"] >= MIN_ROWS_IN_BIN]
    predicted, happened, size = ([g[key] for g in shown] for key in ("said", "happened", "rows"))
    axes.plot([1e-3, 1], [1e-3, 1], color="#999999", lw=1, label="exactly right")
    axes.plot(predicted, happened, "o-", color=COLOURS["model"], label="this model")
    for x, y, n in zip(predicted, happened, size, strict=True):
        axes.annotate(f"{n:,}", (x, max(y, 1e-3)), fontsize=7, xytext=(4, -9),
                      textcoords="offset points")  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1e-3, 1)
    axes.set_ylim(1e-3, 1)
    axes.legend(fontsize=8)
    return figure


def _lead_time(scored: Sequence[Scored], threshold: float) -> Any:
    figure, axes = _axes(
        "How early foreseeable incidents were foreseen",
        "time from alarm to onset, s",
        "incidents",
    )
    *early, missed = [group["incidents"] for group in lead_times(scored, threshold)]
    steps = range(0, LONGEST_LEAD_S + 1, LEAD_STEP_S)
    names = [f"{a}–{b}" for a, b in pairwise(steps)]
    axes.bar([*names, f"over {LONGEST_LEAD_S}"], early, color=COLOURS["model"])
    axes.bar(["missed"], [missed], color=COLOURS["extrapolation"])
    axes.tick_params(axis="x", rotation=45, labelsize=8)
    axes.grid(axis="x", visible=False)
    return figure


def _rows(scored: Sequence[Scored]) -> tuple[Any, Any]:
    label = np.concatenate([s.recording.label[s.recording.scored] for s in scored])
    score = np.concatenate([s.score[s.recording.scored] for s in scored])
    return label, score
