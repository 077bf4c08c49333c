"""Figures of merit of a score over recordings (evaluation.md, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from ml.alarms import Alarm, alarms, match
from ml.episodes import Recording, seconds
from simulator.graph import FloatArray

FRAME_S = 2.0
HORIZON_S = 60.0
BOOTSTRAPS = 400
ECE_FROM, ECE_BINS = 0.05, 15


@dataclass(frozen=True, eq=False)
class Scored:
    """A recording and what a predictor says of it, (T, B, S)."""

    recording: Recording
    score: FloatArray


class Tally(NamedTuple):
    """Counts of events; of each episode, shape (N,), or of all.

    Attributes
    ----------
    incidents, foreseeable, hits, foreseeable_hits
        Incidents, those whose cause had acted for 10 s, and those of either that were foreseen.
    alarms, false_alarms, justified_alarms
        Alarms that were raised, and those of them that were wrong or would have been right.
    """

    incidents: FloatArray
    foreseeable: FloatArray
    hits: FloatArray
    foreseeable_hits: FloatArray
    alarms: FloatArray
    false_alarms: FloatArray
    justified_alarms: FloatArray


class Counted(NamedTuple):
    """Events at a threshold: counts per episode, leads and their shares, frames under alarm."""

    tally: Tally
    leads_s: list[float]
    lead_shares: list[float]
    alarm_frames: int


def count(scored: Sequence[Scored], threshold: float) -> Counted:
    """Count events at an alarm threshold."""
    parts, leads, shares, alarm_frames = [], [], [], 0
    for one in scored:
        recording = one.recording
        found = alarms(one.score, recording.incidents, threshold)
        outcome = match(found, recording.incidents)
        part = Tally(*np.zeros((len(Tally._fields), one.score.shape[1])))
        for number, incident in enumerate(recording.incidents):
            copy, expected = incident.copy, recording.foreseeable(number)
            hit = incident in outcome.hits
            part.incidents[copy] += 1
            part.foreseeable[copy] += expected
            part.hits[copy] += hit
            part.foreseeable_hits[copy] += hit and expected
            cause = recording.causes[number] if recording.causes else None
            if hit:
                leads.append(outcome.hits[incident])
            if hit and expected and cause is not None:
                available = min(HORIZON_S, seconds(incident.onset) - cause.start_s)
                shares.append(min(1.0, outcome.hits[incident] / available))
        for alarm in found:
            part.alarms[alarm.copy] += 1
        for alarm in outcome.false_alarms:
            right = _justified(recording, alarm)
            (part.justified_alarms if right else part.false_alarms)[alarm.copy] += 1
        parts.append(part)
        alarm_frames += sum(alarm.ended - alarm.raised for alarm in found)
    tally = Tally(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return Counted(tally, leads, shares, alarm_frames)


def _justified(recording: Recording, alarm: Alarm) -> bool:
    """Whether a false alarm would have been right if the faults of its moment had held on."""
    if recording.counterfactuals is None:
        return False
    later = [
        incident.onset
        for incident in recording.incidents
        if (incident.copy, incident.service) == (alarm.copy, alarm.service)
        and incident.onset > alarm.raised
    ]
    next_s = seconds(min(later)) if later else None
    t_s = seconds(alarm.raised + 1)
    return recording.counterfactuals.justified(alarm.copy, alarm.service, t_s, next_s)


def shares(tally: Tally) -> dict[str, float | None]:
    """Ratios of counts of all episodes."""
    hits, false = float(tally.hits.sum()), float(tally.false_alarms.sum())
    return {
        "event_recall": _ratio(hits, tally.incidents.sum()),
        "foreseeable_recall": _ratio(tally.foreseeable_hits.sum(), tally.foreseeable.sum()),
        "event_precision": _ratio(hits, hits + false),
        "false_alarms_per_episode": _ratio(false, len(tally.alarms)),
    }


def intervals(tally: Tally, seed: int = 0) -> dict[str, list[float | None]]:
    """95 % intervals of those ratios: a bootstrap that draws whole episodes."""
    rng = np.random.default_rng(seed)
    episodes = len(tally.alarms)
    drawn = [
        shares(Tally(*(values[chosen] for values in tally)))
        for chosen in rng.integers(0, episodes, (BOOTSTRAPS, episodes))
    ]
    found: dict[str, list[float | None]] = {}
    for name in drawn[0]:
        known = [value for figures in drawn if (value := figures[name]) is not None]
        ends = np.quantile(known, (0.025, 0.975)) if known else np.full(2, np.nan)
        found[name] = [_plain(float(end)) for end in ends]
    return found


def events(
    scored: Sequence[Scored], threshold: float, *, with_intervals: bool = False
) -> dict[str, Any]:
    """Figures of events at an alarm threshold, pooled over recordings."""
    tally, leads, lead_shares, alarm_frames = count(scored, threshold)
    frames = sum(one.score.size for one in scored)
    quantiles = np.quantile(leads, (0.1, 0.5, 0.9)) if leads else np.full(3, np.nan)
    return {
        "incidents": int(tally.incidents.sum()),
        "foreseeable_incidents": int(tally.foreseeable.sum()),
        "hits": int(tally.hits.sum()),
        "foreseeable_hits": int(tally.foreseeable_hits.sum()),
        "alarms": int(tally.alarms.sum()),
        "false_alarms": int(tally.false_alarms.sum()),
        "justified_alarms": int(tally.justified_alarms.sum()),
        **shares(tally),
        "lead_s": {key: _plain(v) for key, v in zip(("p10", "p50", "p90"), quantiles, strict=True)},
        "median_lead_s": _plain(quantiles[1]),
        "lead_share": _plain(float(np.median(lead_shares))) if lead_shares else None,
        "false_alarms_per_service_hour": _ratio(
            float(tally.false_alarms.sum()), frames * FRAME_S / 3600.0
        ),
        "alarm_time_share": _ratio(alarm_frames, frames),
        **({"ci": intervals(tally)} if with_intervals else {}),
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
        figures = shares(count(scored, threshold).tally)
        if (figures["false_alarms_per_episode"] or 0.0) <= false_alarms_per_episode:
            best = max(best or 0.0, figures["event_recall"] or 0.0)
    return best


def best_threshold(scored: Sequence[Scored]) -> float:
    """Threshold with the highest F1 over events; among equals the highest."""

    def f1(threshold: float) -> float:
        tally = count(scored, threshold).tally
        hits = float(tally.hits.sum())
        wrong = float(tally.incidents.sum()) - hits + float(tally.false_alarms.sum())
        return 2.0 * hits / max(2.0 * hits + wrong, 1.0)

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
