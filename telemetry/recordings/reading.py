"""Read a recording from its directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from telemetry.document import DocumentError, parse, read
from telemetry.graph import FloatArray, ServiceGraph
from telemetry.keys import Checker, Stated
from telemetry.metrics import EDGE_METRICS, SERVICE_METRICS, Kind, Metric
from telemetry.recordings import tables
from telemetry.recordings.recording import Period, Recording
from telemetry.recordings.specification import EventsSpec, MetaSpec, TopologyChange
from telemetry.recordings.tables import Rows, Table
from telemetry.topology.conversion import graph_of
from telemetry.topology.reading import parse_specification

META, SYSTEM, EVENTS = "meta.yaml", "system.yaml", "events.yaml"
SERVICES, EDGES = "services", "edges"
S = TypeVar("S", bound=Stated)


class RecordingError(DocumentError):
    """A recording that cannot be used; says every problem with file, place and expectation."""


def read_recording(directory: Path) -> Recording:
    """Read a recording.

    Raises
    ------
    RecordingError
        Everything that is wrong with it, or the first of it where one thing hides another.
    """
    if not directory.is_dir():
        raise RecordingError([f"{directory}: expected the directory of a recording"])
    meta = _document(directory / META, MetaSpec)
    events = EventsSpec()
    if (directory / EVENTS).exists():
        events = _document(directory / EVENTS, EventsSpec)
    graphs = _graphs(directory, events.topologies, meta.interval_s)
    places, edge_places = _places(graphs)
    services = _table(directory, SERVICES, SERVICE_METRICS, places, meta.interval_s)
    edges = _table(directory, EDGES, EDGE_METRICS, edge_places, meta.interval_s)
    if services is None or not services.intervals:
        raise RecordingError(
            [f"{directory}: expected {SERVICES}.parquet or {SERVICES}.csv with at least one row"]
        )
    edges = edges or Table(0, {}, ())
    first, frames = services.first, services.intervals
    periods = tuple(_period(number - first, graph, places, edge_places) for number, graph in graphs)
    _check_periods(directory, services, periods)
    shifted = timedelta(seconds=first * meta.interval_s)
    return Recording(
        name=directory.resolve().name,
        interval_s=meta.interval_s,
        start_time=datetime.fromisoformat(meta.start_time).astimezone(UTC) + shifted,
        made_by=meta.made_by,
        frames=frames,
        backfill=_backfill(directory, meta, first, frames),
        faults=tuple(
            replace(
                fault,
                start_s=fault.start_s - shifted.total_seconds(),
                end_s=fault.end_s - shifted.total_seconds(),
            )
            for fault in events.faults
        ),
        warnings=(*services.warnings, *edges.warnings),
        periods=periods,
        **_arrays(services, _aligned(edges, first, frames), places, edge_places),
    )


def _document(path: Path, kind: type[S]) -> S:
    checker = Checker(str(path))
    stated = parse(read(path, RecordingError), str(path), RecordingError)
    return checker.passed(checker.read(kind, {} if stated is None else stated), RecordingError)


def _graphs(
    directory: Path, changes: Sequence[TopologyChange], interval_s: float
) -> list[tuple[int, ServiceGraph]]:
    """Read the topologies, each with the number of the first interval that it holds in."""
    graphs = [(0, _graph(directory / SYSTEM))]
    for change in changes:
        number = round(change.t_s / interval_s)
        if number <= graphs[-1][0]:
            text = "topologies: expected rising times, each of a later interval"
            raise RecordingError([f"{directory / EVENTS}: {text}, got {change.t_s:g}"])
        graphs.append((number, _graph(directory / change.file)))
    return graphs


def _graph(path: Path) -> ServiceGraph:
    try:
        return graph_of(parse_specification(read(path, RecordingError), str(path)))
    except DocumentError as error:
        raise RecordingError(error.problems) from error


def _places(graphs: Sequence[tuple[int, ServiceGraph]]) -> tuple[Rows, Rows]:
    """Give each service and each edge of any of the graphs a place in the arrays."""
    services = dict.fromkeys((name,) for _, graph in graphs for name in graph.names)
    edges = dict.fromkeys(ends for _, graph in graphs for ends in _ends(graph))
    return (
        Rows(("service",), {name: i for i, name in enumerate(services)}, "a service"),
        Rows(("caller", "callee"), {ends: i for i, ends in enumerate(edges)}, "a dependency"),
    )


def _ends(graph: ServiceGraph) -> list[tuple[str, str]]:
    names = graph.names
    return [(names[a], names[b]) for a, b in zip(graph.caller, graph.callee, strict=True)]


def _period(number: int, graph: ServiceGraph, services: Rows, edges: Rows) -> Period:
    return Period(
        number,
        graph,
        np.array([services.places[name,] for name in graph.names], dtype=np.intp),
        np.array([edges.places[ends] for ends in _ends(graph)], dtype=np.intp),
    )


def _table(
    directory: Path, name: str, metrics: Sequence[Metric], rows: Rows, interval_s: float
) -> Table | None:
    path = tables.find(directory, name)
    if path is None:
        return None
    checker = Checker(str(path))
    return checker.passed(tables.read(path, metrics, rows, interval_s, checker), RecordingError)


def _aligned(table: Table, first: int, frames: int) -> Table:
    """Cut a table to other intervals; those that it lacks are not observed."""

    def cut(values: FloatArray) -> FloatArray:
        result = np.full((frames, values.shape[1]), np.nan)
        begin, end = max(first, table.first), min(first + frames, table.first + len(values))
        if begin < end:
            result[begin - first : end - first] = values[begin - table.first : end - table.first]
        return result

    return Table(first, {name: cut(values) for name, values in table.values.items()}, ())


def _arrays(services: Table, edges: Table, places: Rows, edge_places: Rows) -> dict[str, Any]:
    """Give values and ages as a recording holds them."""
    frames = services.intervals
    values: dict[str, FloatArray] = {}
    ages: dict[Kind, FloatArray] = {}
    for table, metrics, rows in (
        (services, SERVICE_METRICS, places),
        (edges, EDGE_METRICS, edge_places),
    ):
        shape = (frames, len(rows.places))
        nothing = np.broadcast_to(np.nan, shape)
        values |= {m.field: table.values.get(m.name, nothing) for m in metrics}
        for kind in dict.fromkeys(metric.kind for metric in metrics):
            ages[kind] = tables.merged_age(table, [m for m in metrics if m.kind is kind], shape)
    stated = any(name.endswith(tables.AGE) for t in (services, edges) for name in t.values)
    return {"values": values, "ages": ages if stated else {}}


def _check_periods(directory: Path, table: Table, periods: Sequence[Period]) -> None:
    """Check that no row is of a service that the system did not have then."""
    if len(periods) == 1:
        return
    observed = np.logical_or.reduce([~np.isnan(values) for values in table.values.values()])
    ends = [*(period.first for period in periods[1:]), len(observed)]
    for period, end in zip(periods, ends, strict=True):
        begin = max(period.first, 0)
        extra = observed[begin : max(end, 0)].copy()
        extra[:, period.services] = False
        if extra.any():
            number = int(np.argwhere(extra)[0, 0]) + begin + table.first
            text = "expected rows of services of the topology of their time alone, got others"
            raise RecordingError([f"{directory}: {text} in interval {number}"])


def _backfill(directory: Path, meta: MetaSpec, first: int, frames: int) -> int:
    backfill = round(meta.backfill_s / meta.interval_s) - first
    if backfill >= frames:
        text = f"backfill_s: expected less than there is, {frames * meta.interval_s:g} s"
        raise RecordingError([f"{directory / META}: {text}"])
    return max(backfill, 0)
