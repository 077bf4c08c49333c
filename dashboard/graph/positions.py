"""Where the nodes of a graph stand; positions depend on the calls only, never on a tick."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

COLUMN_WIDTH, ROW_HEIGHT = 220, 96
MAX_ROWS = 12
MAX_LEVELS = 32
SWEEPS = 4


def levels(names: Sequence[str], calls: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Level of each name: one more than the deepest of its callers; a cycle ends somewhere."""
    known = set(names)
    within = [(a, b) for a, b in calls if a in known and b in known and a != b]
    level = dict.fromkeys(names, 0)
    for _ in range(min(len(level), MAX_LEVELS)):
        before = dict(level)
        for caller, callee in within:
            level[callee] = max(level[callee], min(level[caller] + 1, len(level) - 1, MAX_LEVELS))
        if level == before:
            break
    return level


def positions(
    names: Sequence[str], calls: Sequence[tuple[str, str]]
) -> dict[str, tuple[float, float]]:
    """Place callers left of callees: a column per level, each node near those it calls.

    A level with more than `MAX_ROWS` nodes takes several columns.
    """
    level = levels(names, calls)
    columns: dict[int, list[str]] = defaultdict(list)
    for name in names:
        columns[level[name]].append(name)
    ordered = _with_fewer_crossings([columns[key] for key in sorted(columns)], calls)
    placed: dict[str, tuple[float, float]] = {}
    left = 0
    for column in ordered:
        width = -(-len(column) // MAX_ROWS)
        rows = -(-len(column) // width)
        for i, name in enumerate(column):
            within = min(rows, len(column) - i // rows * rows)
            x = float((left + i // rows) * COLUMN_WIDTH)
            placed[name] = (x, (i % rows - (within - 1) / 2.0) * ROW_HEIGHT)
        left += width
    return placed


def _with_fewer_crossings(
    columns: list[list[str]], calls: Sequence[tuple[str, str]]
) -> list[list[str]]:
    """Order each column by the mean place of its neighbours (Sugiyama's barycentre method)."""
    neighbours: dict[str, list[str]] = defaultdict(list)
    for a, b in calls:
        neighbours[a].append(b)
        neighbours[b].append(a)
    place = {name: (i + 0.5) / len(column) for column in columns for i, name in enumerate(column)}
    for _ in range(SWEEPS):
        for i, column in enumerate(columns):
            key = {
                name: sum(place[n] for n in near if n in place) / len(near)
                if (near := neighbours[name])
                else place[name]
                for name in column
            }
            columns[i] = sorted(column, key=lambda name, key=key: (key[name], name))  # type: ignore[misc]
            place.update({name: (j + 0.5) / len(column) for j, name in enumerate(columns[i])})
    return columns
