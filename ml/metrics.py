"""Figures of merit of a score over recordings (evaluation.md, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from ml.alarms import alarms, match
from ml.episodes import Recording
from simulator.graph import FloatArray

FRAME_S = 2.0
ECE_FROM, ECE_BINS = 0.05, 15


@dataclass(frozen=True, eq=False)
class Scored:
    """A recording and what a predictor says of it, (T, B, S)."""

    recording: Recording
    score: FloatArray


def events(scored: Sequence[Scored], threshold: float) -> dict[str, Any]:
    """Figures of events at an alarm threshold, pooled over recordings."""
    incidents = hits = raised = false = alarm_frames = 0
    episodes, service_hours, frames = 0, 0.0, 0
    leads: list[float] = []
    for one in scored:
        recording = one.recording
        found = alarms(one.score, recording.incidents, threshold)
        outcome = match(found, recording.incidents)
        incidents += len(recording.incidents)
        hits += len(outcome.hits)
        raised += len(found)
        false += len(outcome.false_alarms)
        leads += outcome.hits.values()
        alarm_frames += sum(alarm.ended - alarm.raised for alarm in found)
        frames += one.score.size
        episodes += one.score.shape[1]
        service_hours += one.score.size * FRAME_S / 3600.0
    quantiles = np.quantile(leads, (0.1, 0.5, 0.9)) if leads else np.full(3, np.nan)
    return {
        "incidents": incidents,
        "hits": hits,
        "alarms": raised,
        "false_alarms": false,
        "event_recall": _ratio(hits, incidents),
        "event_precision": _ratio(hits, hits + false),
        "lead_s": {key: _plain(v) for key, v in zip(("p10", "p50", "p90"), quantiles, strict=True)},
        "median_lead_s": _plain(quantiles[1]),
        "false_alarms_per_episode": _ratio(false, episodes),
        "false_alarms_per_service_hour": _ratio(false, service_hours),
        "alarm_time_share": _ratio(alarm_frames, frames),
    }


def rows(scored: Sequence[Scored], threshold: float) -> dict[str, Any]:
    """Figures of rows, over those that are scored; thresholded ones at `threshold`."""
    label = np.concatenate([s.recording.label[s.recording.scored] for s in scored])
    score = np.concatenate([s.score[s.recording.scored] for s in scored])
    positive = score >= threshold
    true = int((positive & label).sum())
    precision, recall = _ratio(true, positive.sum()), _ratio(true, label.sum())
    prevalence = float(label.mean())
    brier = float(np.mean((score - label) ** 2))
    both = 0.0 < prevalence < 1.0
    return {
        "rows": len(label),
        "prevalence": _plain(prevalence),
        "accuracy": _plain(float((positive == label).mean())),
        "precision": precision,
        "recall": recall,
        "f1": _ratio(2 * true, positive.sum() + label.sum()),
        "pr_auc": _plain(float(average_precision_score(label, score))) if both else None,
        "roc_auc": _plain(float(roc_auc_score(label, score))) if both else None,
        "brier_skill": _plain(1.0 - brier / (prevalence * (1.0 - prevalence))) if both else None,
        "ece": _plain(calibration_error(label, score)),
    }


def calibration_error(label: FloatArray, score: FloatArray) -> float:
    """Mean gap between score and share of positives, over scores of at least 0.05."""
    counted = score >= ECE_FROM
    if not counted.any():
        return float("nan")
    label, score = label[counted], score[counted]
    bins = np.minimum((score * ECE_BINS).astype(np.intp), ECE_BINS - 1)
    size = np.bincount(bins, minlength=ECE_BINS)
    gap = np.abs(
        np.bincount(bins, score, ECE_BINS) - np.bincount(bins, label.astype(float), ECE_BINS)
    )
    return float(gap.sum() / size.sum())


def recall_at(scored: Sequence[Scored], false_alarms_per_episode: float) -> float | None:
    """Event recall at the lowest threshold with at most so many false alarms per episode."""
    best: float | None = None
    for threshold in candidates(scored):
        figures = events(scored, threshold)
        if (figures["false_alarms_per_episode"] or 0.0) <= false_alarms_per_episode:
            best = max(best or 0.0, figures["event_recall"] or 0.0)
    return best


def best_threshold(scored: Sequence[Scored]) -> float:
    """Threshold with the highest F1 over events; among equals the highest."""

    def f1(threshold: float) -> float:
        figures = events(scored, threshold)
        missed = figures["incidents"] - figures["hits"]
        wrong = missed + figures["false_alarms"]
        return float(2.0 * figures["hits"] / max(2.0 * figures["hits"] + wrong, 1.0))

    return max(candidates(scored), key=lambda threshold: (f1(threshold), threshold))


def candidates(scored: Sequence[Scored]) -> list[float]:
    """Thresholds worth trying: quantiles of the scores from the median on."""
    values = np.concatenate([s.score[s.recording.scored].ravel()[::7] for s in scored])
    levels = 1.0 - np.geomspace(1e-4, 0.5, 32)
    return sorted({float(f"{value:.6g}") for value in np.quantile(values, levels) if value > 0})


def _ratio(part: float, whole: float) -> float | None:
    return _plain(float(part) / float(whole)) if whole else None


def _plain(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
