"""Pictures of a report: all ratios, and how costs grow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.figures import Curve, Part
from benchmarks.fits import better
from benchmarks.report import slug

OURS, PROMISE, FIT = "#1f6feb", "#b5485d", "#7a7a7a"


def plots(parts: Sequence[Part], directory: Path) -> None:
    """Draw all pictures into a directory, which is made."""
    directory.mkdir(parents=True, exist_ok=True)
    _save(_ratios(parts), directory / "ratios.png")
    for part in parts:
        for curve in part.curves:
            _save(_growth(curve), directory / f"{slug(curve)}.png")


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _tidy(axes: Any) -> None:
    axes.grid(alpha=0.3, which="both")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _ratios(parts: Sequence[Part]) -> Any:
    figures = [figure for part in parts for figure in part.figures][::-1]
    drawn, axes = plt.subplots(figsize=(8.0, 0.6 + 0.24 * len(figures)))
    rows = np.arange(len(figures))
    axes.hlines(rows, 1.0, [figure.ratio for figure in figures], color=OURS, linewidth=2.5)
    axes.plot([figure.ratio for figure in figures], rows, "o", color=OURS, label="measured")
    promised = [(figure.most, row) for row, figure in enumerate(figures) if figure.most]
    if promised:
        axes.plot(*zip(*promised, strict=True), "|", color=PROMISE, markersize=12,
                  markeredgewidth=2, label="promised at most")  # fmt: skip
    axes.set_yticks(rows, [f"{figure.name} | {figure.beside}" for figure in figures], fontsize=7)
    axes.set_xscale("log")
    axes.axvline(1.0, color="#111111", linewidth=1)
    axes.set_title("Our cost over that of a peer or a limit", loc="left", fontsize=11)
    axes.legend(loc="upper left", fontsize=8)
    _tidy(axes)
    return drawn


def _growth(curve: Curve) -> Any:
    drawn, axes = plt.subplots(figsize=(5.6, 3.8))
    size, cost = np.array(curve.points).T
    fit = better(curve.points)
    between = np.geomspace(size.min(), size.max(), 100)
    axes.plot(between, fit.cost(between), "--", color=FIT, label=fit.text)
    axes.plot(size, cost, "o", color=OURS, label="measured")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(curve.over)
    axes.set_ylabel(curve.unit)
    axes.set_title(curve.name, loc="left", fontsize=11)
    axes.legend(fontsize=8)
    _tidy(axes)
    return drawn
