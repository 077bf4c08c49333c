"""Figures of merit of a score over recordings (evaluation.md, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from ml.evaluation.pool import Pool, Scored, Tally
from telemetry.graph import FloatArray

FRAME_S = 2.0
BOOTSTRAPS = 400
ECE_FROM, ECE_BINS = 0.05, 15
LEAD_SHARE = 0.6
"""Minimum median share of the available time that alarms leave: the aim of evaluation.md."""


def event_ratios(tally: Tally) -> dict[str, float | None]:
    """Ratios of the counts, over all episodes."""
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
        event_ratios(Tally(*(values[chosen] for values in tally)))
        for chosen in rng.integers(0, episodes, (BOOTSTRAPS, episodes))
    ]
    found: dict[str, list[float | None]] = {}
    for name in drawn[0]:
        known = [value for figures in drawn if (value := figures[name]) is not None]
        ends = np.quantile(known, (0.025, 0.975)) if known else np.full(2, np.nan)
        found[name] = [_plain(float(end)) for end in ends]
    return found


def events(pool: Pool, threshold: float, *, with_intervals: bool = False) -> dict[str, Any]:
    """Figures of events at an alarm threshold, pooled over recordings."""
    tally, lead_s, lead_shares, alarm_frames = pool.count(threshold)
    leads = lead_s[np.isfinite(lead_s)]
    frames = sum(one.score.size for one in pool.scored)
    quantiles = np.quantile(leads, (0.1, 0.5, 0.9)) if len(leads) else np.full(3, np.nan)
    return {
        "incidents": int(tally.incidents.sum()),
        "foreseeable_incidents": int(tally.foreseeable.sum()),
        "hits": int(tally.hits.sum()),
        "foreseeable_hits": int(tally.foreseeable_hits.sum()),
        "alarms": int(tally.alarms.sum()),
        "false_alarms": int(tally.false_alarms.sum()),
        "justified_alarms": int(tally.justified_alarms.sum()),
        **event_ratios(tally),
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
    prevalence = float(label.mean()) if len(label) else float("nan")
    brier = float(np.mean((score - label) ** 2)) if len(label) else float("nan")
    both = 0.0 < prevalence < 1.0
    return {
        "rows": len(label),
        "prevalence": _plain(prevalence),
        "accuracy": _ratio((positive == label).sum(), len(label)),
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


class Curve(NamedTuple):
    """Events at K thresholds.

    Attributes
    ----------
    hits, foreseeable_hits, false_alarms
        (K, N) counts per threshold and episode.
    incidents, foreseeable
        (N,) counts per episode.
    """

    hits: FloatArray
    foreseeable_hits: FloatArray
    false_alarms: FloatArray
    incidents: FloatArray
    foreseeable: FloatArray

    def recall_at(
        self, false_alarms_per_episode: float, chosen: NDArray[np.intp] | None = None
    ) -> FloatArray:
        """Highest event recall with at most so many false alarms per episode.

        `chosen` (R, N) draws episodes R times; the result is (R,), or (1,) for all episodes.
        """
        if chosen is None:
            chosen = np.arange(len(self.incidents))[None]
        hits = self.hits[:, chosen].sum(axis=2)
        allowed = self.false_alarms[:, chosen].mean(axis=2) <= false_alarms_per_episode
        total = np.maximum(self.incidents[chosen].sum(axis=1), 1.0)
        recall: FloatArray = (hits * allowed).max(axis=0) / total
        return recall

    def foreseeable_recall_at_precision(self, min_precision: float) -> float | None:
        """Highest recall of foreseeable incidents at a precision of at least this.

        None if no incident is foreseeable.
        """
        hits = self.hits.sum(axis=1)
        precise = hits >= min_precision * (hits + self.false_alarms.sum(axis=1))
        return _ratio((self.foreseeable_hits.sum(axis=1) * precise).max(), self.foreseeable.sum())


def curve(pool: Pool) -> Curve:
    """Count events at all thresholds worth trying."""
    tallies = [pool.count(threshold).tally for threshold in candidates(pool.scored)]
    return Curve(
        hits=np.stack([tally.hits for tally in tallies]),
        foreseeable_hits=np.stack([tally.foreseeable_hits for tally in tallies]),
        false_alarms=np.stack([tally.false_alarms for tally in tallies]),
        incidents=tallies[0].incidents,
        foreseeable=tallies[0].foreseeable,
    )


def recall_gain(model: Curve, other: Curve, false_alarms_per_episode: float) -> dict[str, Any]:
    """Compare recall at so many false alarms: a paired bootstrap over the same episodes."""
    rng = np.random.default_rng(0)
    episodes = len(model.incidents)
    chosen = rng.integers(0, episodes, (BOOTSTRAPS, episodes))

    def difference(drawn: NDArray[np.intp] | None) -> FloatArray:
        mine = model.recall_at(false_alarms_per_episode, drawn)
        return mine - other.recall_at(false_alarms_per_episode, drawn)

    ends = np.quantile(difference(chosen), (0.025, 0.975))
    return {
        "difference": _plain(float(difference(None)[0])),
        "ci": [_plain(float(end)) for end in ends],
    }


def best_threshold(pool: Pool) -> float:
    """Threshold with the best balance among those in good time; among equals the highest.

    See `balance`. In good time is a median lead share of `LEAD_SHARE`; if no threshold has that,
    all count.
    """

    def merit(threshold: float) -> tuple[bool, float, float]:
        counted = pool.count(threshold)
        leads = counted.lead_shares
        timely = bool(leads) and float(np.median(leads)) >= LEAD_SHARE
        return timely, balance(counted.tally), threshold

    coarse = candidates(pool.scored)
    place = coarse.index(max(coarse, key=merit))
    around = coarse[max(place - 1, 0) : place + 2]
    return max({*around, *map(_rounded, np.geomspace(around[0], around[-1], 9))}, key=merit)


def balance(tally: Tally) -> float:
    """Harmonic mean of the recall of foreseeable incidents and the precision of events."""
    figures = event_ratios(tally)
    recall, precision = figures["foreseeable_recall"] or 0.0, figures["event_precision"] or 0.0
    return 2.0 * recall * precision / max(recall + precision, 1e-12)


def candidates(scored: Sequence[Scored]) -> list[float]:
    """Thresholds worth trying: quantiles of the scores from the median on; 1 if all are 0.

    1 as well if no row is scored, because an incident goes on all the time.
    """
    values = np.concatenate([s.score[s.recording.scored].ravel()[::7] for s in scored])
    if not len(values):
        return [1.0]
    levels = 1.0 - np.geomspace(1e-4, 0.5, 32)
    found = {_rounded(value) for value in np.quantile(values, levels) if value > 0}
    return sorted(found) or [1.0]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _ratio(part: float, whole: float) -> float | None:
    return _plain(float(part) / float(whole)) if whole else None


def _plain(value: float) -> float | None:
    return _rounded(value) if np.isfinite(value) else None
