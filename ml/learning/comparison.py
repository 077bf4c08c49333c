"""Is a candidate better than the live model? A paired bootstrap over whole episodes.

The candidate goes live only if the 95 % interval of its gain lies above zero and it is as well
calibrated; see `docs/evaluation.md`, "How learning mode decides".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import BOOTSTRAPS, ECE_BINS, ECE_FROM, curve, recall_gain
from ml.evaluation.pool import Pool, Scored
from telemetry.graph import FloatArray

FALSE_ALARMS_PER_EPISODE = 0.5
ALL, SIMULATED, LIVE = "all", "simulated", "live"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a comparison.

    Attributes
    ----------
    better
        Whether the candidate should go live.
    reason
        Explanation for people, with figures.
    groups
        Figures by group: all episodes, simulated systems, live experiments.
    """

    better: bool
    reason: str
    groups: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Scores of both models on the same recordings.

    Attributes
    ----------
    current, candidate
        Scored recordings of each model, in the same order.
    """

    current: list[Scored]
    candidate: list[Scored]

    def __add__(self, other: Pair) -> Pair:
        return Pair(self.current + other.current, self.candidate + other.candidate)


def judged(simulated: Pair, live: Pair) -> Verdict:
    """Compare two models on simulated systems and live experiments that neither learned from."""
    groups = {ALL: figures(simulated + live), SIMULATED: figures(simulated)}
    if live.current:
        groups[LIVE] = figures(live)
    objections = _objections(groups)
    gain = _gain(groups[ALL])
    if objections:
        return Verdict(False, f"kept, not made live: {'; '.join(objections)}. {gain}", groups)
    return Verdict(True, f"better, and as well calibrated. {gain}", groups)


def figures(pair: Pair) -> dict[str, Any]:
    """Compare two models on one group of episodes: figures of both, and intervals of differences.

    A difference is candidate minus current. Gains are in recall, so more is better; the Brier
    score and the calibration error are better when they are smaller. A model that never predicts
    0.05 or more has no calibration error: `ece` is None then.
    """
    curves = [curve(Pool(side)) for side in _sides(pair)]
    now, new = curves
    errors = [_errors(side) for side in _sides(pair)]
    chosen = np.random.default_rng(0).integers(
        0, len(errors[0][0]), (BOOTSTRAPS, len(errors[0][0]))
    )
    return {
        "episodes": len(now.incidents),
        "incidents": int(now.incidents.sum()),
        "recall": {
            "current": _plain(now.recall_at(FALSE_ALARMS_PER_EPISODE)[0]),
            "candidate": _plain(new.recall_at(FALSE_ALARMS_PER_EPISODE)[0]),
            **recall_gain(new, now, FALSE_ALARMS_PER_EPISODE),
        },
        "brier": _paired([_brier(*of) for of in errors], [_brier(*of, chosen) for of in errors]),
        "ece": _paired([_ece(*of) for of in errors], [_ece(*of, chosen) for of in errors]),
    }


def _objections(groups: dict[str, dict[str, Any]]) -> list[str]:
    """List objections to the candidate."""
    found = []
    if not groups[ALL]["recall"]["ci"][0] > 0.0:
        found.append("the interval of its gain does not lie above zero")
    for name, label in ((SIMULATED, "simulated systems"), (LIVE, "the newest live experiments")):
        if name in groups and groups[name]["recall"]["ci"][1] < 0.0:
            found.append(f"it foresees less on {label}")
    for name, label in (("ece", "calibration error"), ("brier", "Brier score")):
        of = groups[ALL][name]
        if of is not None and of["ci"][0] > 0.0:
            found.append(
                f"its {label} is worse: {of['candidate']:.3g} against {of['current']:.3g}, "
                f"95 % interval of the difference {of['ci'][0]:+.2g} to {of['ci'][1]:+.2g}"
            )
    return found


def _gain(group: dict[str, Any]) -> str:
    recall = group["recall"]
    low, high = recall["ci"]
    return (
        f"At {FALSE_ALARMS_PER_EPISODE:g} false alarms per episode it foresees "
        f"{recall['candidate']:.1%} of {group['incidents']} incidents, the live model "
        f"{recall['current']:.1%}: a difference of {100 * recall['difference']:+.1f} points, 95 % "
        f"interval {100 * low:+.1f} to {100 * high:+.1f}, over {group['episodes']} episodes"
    )


def _errors(side: Sequence[Scored]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Per episode: rows and squared error (N, 2); rows and gap of each bin, both (N, bins)."""
    sums, sizes, gaps = [], [], []
    for one in side:
        for copy in range(one.score.shape[1]):
            known = one.recording.scored[:, copy]
            score, label = one.score[:, copy][known], one.recording.label[:, copy][known]
            sums.append((len(score), float(np.sum((score - label) ** 2))))
            counted = score >= ECE_FROM
            score, gap = score[counted], score[counted] - label[counted]
            bins = np.minimum((score * ECE_BINS).astype(np.intp), ECE_BINS - 1)
            sizes.append(np.bincount(bins, minlength=ECE_BINS).astype(np.float64))
            gaps.append(np.bincount(bins, gap, ECE_BINS))
    return np.array(sums, dtype=np.float64), np.stack(sizes), np.stack(gaps)


def _brier(
    sums: FloatArray, _: FloatArray, __: FloatArray, chosen: NDArray[np.intp] | None = None
) -> FloatArray:
    drawn = sums[np.arange(len(sums))[None] if chosen is None else chosen].sum(axis=1)
    found: FloatArray = drawn[:, 1] / np.maximum(drawn[:, 0], 1.0)
    return found


def _ece(
    _: FloatArray, sizes: FloatArray, gaps: FloatArray, chosen: NDArray[np.intp] | None = None
) -> FloatArray:
    chosen = np.arange(len(sizes))[None] if chosen is None else chosen
    total = sizes[chosen].sum(axis=(1, 2))
    gap = np.abs(gaps[chosen].sum(axis=1)).sum(axis=1)
    found: FloatArray = np.where(total > 0, gap / np.maximum(total, 1.0), np.nan)
    return found


def _paired(known: list[FloatArray], drawn: list[FloatArray]) -> dict[str, Any] | None:
    """Give figures of both, and of their difference; None if one of them is not defined."""
    if not all(np.isfinite(figure[0]) for figure in known):
        return None
    difference = drawn[1] - drawn[0]
    low, high = np.quantile(difference[np.isfinite(difference)], (0.025, 0.975))
    return {
        "current": _plain(known[0][0]),
        "candidate": _plain(known[1][0]),
        "difference": _plain(known[1][0] - known[0][0]),
        "ci": [_plain(low), _plain(high)],
    }


def _sides(pair: Pair) -> tuple[list[Scored], list[Scored]]:
    return pair.current, pair.candidate


def _plain(value: float | np.floating[Any]) -> float:
    return float(f"{float(value):.6g}")
