"""The tables of a recording: rows of a time and a service, or an edge, as arrays over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from telemetry.document import suggestion
from telemetry.graph import FloatArray, IntArray
from telemetry.keys import Checker
from telemetry.metrics import Metric

if TYPE_CHECKING:
    from pandas import DataFrame

TIME = "t_s"
AGE = "_age_s"
MAX_EMPTY = 100
"""Intervals without a row for each one with rows, at most: beyond, times are in another unit."""
MAX_CELLS = 400_000_000
"""Values of one metric, at most: 3 GB."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table as arrays of shape (T, N), of N services or edges; NaN is not observed.

    Attributes
    ----------
    first
        Number of the first interval; the arrays begin with it.
    values
        Values by the name of their metric, and ages by that name with `_age_s`.
    warnings
        What was not read.
    """

    first: int
    values: Mapping[str, FloatArray]
    warnings: tuple[str, ...]

    @property
    def intervals(self) -> int:
        """T; 0 of an empty table."""
        return max((len(values) for values in self.values.values()), default=0)


@dataclass(frozen=True, eq=False)
class Rows:
    """What the rows of a table may be of.

    Attributes
    ----------
    keys
        Columns that name it: `service`, or `caller` and `callee`.
    places
        Place of each by the values of these columns.
    what
        What it is called in errors.
    """

    keys: tuple[str, ...]
    places: Mapping[tuple[str, ...], int]
    what: str


def find(directory: Path, name: str) -> Path | None:
    """Find a table by its name, as Parquet or as CSV; None if there is none."""
    paths = (directory / f"{name}.parquet", directory / f"{name}.csv")
    return next((path for path in paths if path.is_file()), None)


def read(
    path: Path, metrics: Sequence[Metric], rows: Rows, interval_s: float, checker: Checker
) -> Table | None:
    """Read a table; None if there are problems, which the checker then has."""
    frame = _frame(path, rows.keys, checker)
    if frame is None or not _has_columns(frame, (TIME, *rows.keys), checker):
        return None
    number = _numbers(frame, interval_s, checker)
    place = _places(frame, rows, checker)
    columns, warnings = _columns(frame, path.name, metrics, rows.keys, checker)
    if number is None or place is None or checker.problems:
        return None
    if not len(number):
        return Table(0, {}, warnings)
    first, intervals = int(number.min()), int(np.ptp(number)) + 1
    if not _is_affordable(number, intervals, len(rows.places), interval_s, checker):
        return None
    if not _is_in_order(frame, number, place, rows, checker):
        return None
    values = {}
    for name, column in columns.items():
        values[name] = np.full((intervals, len(rows.places)), np.nan)
        values[name][number - first, place] = column
    return Table(first, values, warnings)


def _frame(path: Path, keys: Sequence[str], checker: Checker) -> DataFrame | None:
    """Read the file, whatever it says."""
    import pandas as pd  # it takes as long as everything else together

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=dict.fromkeys(keys, str))
    except Exception as error:  # of the many that the readers raise for damaged files
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        checker.problem((), f"expected a table: {reason}")
        return None


def _has_columns(frame: DataFrame, needed: tuple[str, ...], checker: Checker) -> bool:
    lacking = [name for name in needed if name not in frame.columns]
    if lacking:
        checker.problem((), f"expected the columns {', '.join(needed)}, got no {lacking[0]}")
    return not lacking


def _numbers(frame: DataFrame, interval_s: float, checker: Checker) -> IntArray | None:
    """Give the number of each row's interval."""
    times = _floats(frame, TIME, checker)
    if times is None:
        return None
    if _is_wrong(checker, ~np.isfinite(times), frame, TIME, "a time in seconds"):
        return None
    number = np.round(times / interval_s)
    off = np.abs(times - number * interval_s) > 1e-3 * interval_s
    text = f"the start of an interval, a multiple of interval_s ({interval_s:g})"
    if _is_wrong(checker, off | (number < 0) | (number > 2**40), frame, TIME, text):
        return None
    return number.astype(np.intp)


def _places(frame: DataFrame, rows: Rows, checker: Checker) -> IntArray | None:
    """Find what each row is of."""
    names = list(zip(*(frame[key] for key in rows.keys), strict=True))
    known = {name: rows.places.get(name, -1) for name in dict.fromkeys(names)}
    place = np.array([known[name] for name in names], dtype=np.intp)
    if (place >= 0).all():
        return place
    row = int(np.argmin(place))
    got = "->".join(map(str, names[row]))
    near = suggestion(got, ["->".join(name) for name in rows.places])
    checker.problem((f"row {row + 1}",), f"expected {rows.what} of the topology, got {got!r}{near}")
    return None


def _columns(
    frame: DataFrame, source: str, metrics: Sequence[Metric], keys: tuple[str, ...],
    checker: Checker,
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:  # fmt: skip
    """Read the columns of values and ages; also say which are neither."""
    found, warnings = {}, []
    by_name = {metric.name: metric for metric in metrics}
    for name in map(str, frame.columns):
        metric = by_name.get(name.removesuffix(AGE))
        if metric is not None and (values := _floats(frame, name, checker)) is not None:
            low, high = (0.0, None) if name.endswith(AGE) else (metric.min, metric.max)
            _check_limits(frame, name, values, low, high, checker)
            found[name] = values
        elif metric is None and name not in (TIME, *keys):
            near = suggestion(name, by_name)
            warnings.append(f"{source}: the column {name!r} is no metric, and is not read{near}")
    return found, tuple(warnings)


def _floats(frame: DataFrame, name: str, checker: Checker) -> FloatArray | None:
    try:
        values: FloatArray = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        return values
    except (ValueError, TypeError):
        checker.problem((name,), "expected a column of numbers")
        return None


def _check_limits(
    frame: DataFrame, name: str, values: FloatArray, low: float | None, high: float | None,
    checker: Checker,
) -> None:  # fmt: skip
    wrong = np.isinf(values)
    with np.errstate(invalid="ignore"):
        wrong |= False if low is None else values < low
        wrong |= False if high is None else values > high
    least = "" if low is None else f" of at least {low:g}"
    most = "" if high is None else f"{' and' if least else ' of'} at most {high:g}"
    _is_wrong(checker, wrong, frame, name, f"a finite number{least}{most}, or nothing")


def _is_wrong(
    checker: Checker, wrong: np.ndarray, frame: DataFrame, name: str, expected: str
) -> bool:
    """Whether any row is wrong; the first one is shown."""
    if not wrong.any():
        return False
    row = int(np.argmax(wrong))
    more = f" (and {int(wrong.sum()) - 1} more rows)" if wrong.sum() > 1 else ""
    got = frame[name].iloc[row]
    checker.problem((f"row {row + 1}, {name}",), f"expected {expected}, got {got}{more}")
    return True


def _is_affordable(
    number: IntArray, intervals: int, series: int, interval_s: float, checker: Checker
) -> bool:
    observed = len(np.unique(number))
    if intervals > (MAX_EMPTY + 1) * observed:
        text = f"expected times in seconds: {observed} intervals have rows, out of {intervals} "
        checker.problem((TIME,), f"{text}from the first to the last of {interval_s:g} s")
        return False
    if intervals * series > MAX_CELLS:
        text = f"expected at most {MAX_CELLS:,} values of a metric, got {intervals * series:,}"
        checker.problem((), f"{text}: part the recording")
        return False
    return True


def _is_in_order(
    frame: DataFrame, number: IntArray, place: IntArray, rows: Rows, checker: Checker
) -> bool:
    """Whether the times of each service, or edge, rise from row to row."""
    order = np.argsort(place, kind="stable")
    step = np.diff(number[order])
    wrong = (np.diff(place[order]) == 0) & (step <= 0)
    if not wrong.any():
        return True
    later = order[1:][wrong]
    row = int(later.min())
    at = int(np.flatnonzero(order == row)[0]) - 1
    name = "->".join(str(frame[key].iloc[row]) for key in rows.keys)
    same = "one row of an interval" if step[at] == 0 else "later times in later rows"
    got = f"{frame[TIME].iloc[row]:g} after {frame[TIME].iloc[order[at]]:g}"
    checker.problem((f"row {row + 1}, {TIME}",), f"expected {same} for {name}, got {got}")
    return False


def merged_age(table: Table, metrics: Sequence[Metric], shape: tuple[int, int]) -> FloatArray:
    """Give the age of the values of some metrics together, (T, N): that of the oldest.

    Values without a stated age are fresh; where none is observed, the age is NaN.
    """
    observed, oldest = np.zeros(shape, dtype=np.bool_), np.zeros(shape)
    for metric in metrics:
        if metric.name in table.values:
            observed |= ~np.isnan(table.values[metric.name])
        if metric.name + AGE in table.values:
            oldest = np.fmax(oldest, table.values[metric.name + AGE])
    return np.where(observed, oldest, np.nan)
