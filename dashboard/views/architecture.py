"""The data flow through the running parts, with live figures."""

from __future__ import annotations

from typing import Any

from dashboard.markup import Node, h
from dashboard.text.numbers import MISSING, duration, number
from dashboard.text.times import length, seconds
from dashboard.views import parts
from dashboard.views.scene import Scene
from sre_edge.v1 import simulation_service_pb2

# id, what it is, column, row
PARTS = (
    ("source", "Simulator", 0, 0),
    ("chaos", "Faults", 0, 1.4),
    ("features", "Features", 1, -0.7),
    ("model", "ONNX model", 2, -0.7),
    ("system", "Pipeline", 2, 0.6),
    ("watcher", "Incidents, SLOs,\nalarms", 3, 1.6),
    ("store", "Records", 4, 1.6),
    ("history", "History ring", 3, -0.7),
    ("broadcast", "Broadcaster", 3, 0.5),
    ("dashboard", "This dashboard", 4, 0.5),
    ("clients", "Other clients", 4, -0.7),
    ("browser", "Your browser", 5, 0.5),
)
FLOWS = (
    ("source", "system", "frames"),
    ("source", "features", "frames"),
    ("features", "model", "one row per service"),
    ("model", "system", "probabilities"),
    ("system", "watcher", "findings"),
    ("watcher", "store", "events"),
    ("system", "history", "snapshots"),
    ("system", "broadcast", "snapshots"),
    ("broadcast", "dashboard", "StreamMetrics"),
    ("broadcast", "clients", "StreamMetrics"),
    ("dashboard", "browser", "WebSocket"),
    ("chaos", "source", "parameters"),
)
EXPLAINED = (
    "A tick: the simulator produces a frame of what monitoring would see; it becomes one row of "
    "features per service; one ONNX call scores them all; the snapshot enters the history and is "
    "encoded once for all subscribers. Faults change parameters of the simulator only: predictions "
    "never see them."
)
WIDTH, HEIGHT = 250, 130


def drawing(scene: Scene) -> dict[str, Any]:
    """Nodes and edges, with live figures in their labels."""
    info = scene.state.records.info
    figures = _figures(scene, info) if info and not scene.stale else {}
    nodes = [
        {
            "id": f"part:{name}",
            "label": f"{title}\n{figures[name]}" if figures.get(name) else title,
            "x": x * WIDTH,
            "y": y * HEIGHT,
            "classes": f"part {'stale' if scene.stale else ''}".strip(),
        }
        for name, title, x, y in PARTS
    ]
    edges = [
        {"id": f"{a}->{b}", "source": f"part:{a}", "target": f"part:{b}", "label": label,
         "width": 2, "classes": "fine"}
        for a, b, label in FLOWS
    ]  # fmt: skip
    return {"nodes": nodes, "edges": edges, "key": "parts", "layout": "levels", "note": ""}


def _figures(scene: Scene, info: simulation_service_pb2.GetServerInfoResponse) -> dict[str, str]:
    topology, snapshot, provider = scene.state.topology, scene.snapshot, scene.provider
    services = len(topology.services) if topology else 0
    live = next((one for one in scene.state.records.models or () if one.active), None)
    held = min(snapshot.cursor.sequence, info.limits.history) if snapshot else 0
    figures = info.figures
    return {
        "source": f"{topology.name if topology else ''}, {_count(services, 'service')}",
        "chaos": f"{len(snapshot.active_faults) if snapshot else 0} active",
        "features": f"{services} × {live.feature_count}" if live else "",
        "model": info.model_version,
        "system": f"{number(1000.0 * figures.tick_seconds_mean, 'ms')} per tick",
        "watcher": _count(len(scene.state.events), "event"),
        "store": "PostgreSQL" if info.store.startswith("postgresql") else "SQLite",
        "history": f"{held} of {info.limits.history}",
        "broadcast": f"{_count(figures.streams, 'stream')}, {figures.event_streams} of events",
        "dashboard": f"reads {provider.target}",
        "clients": _count(max(figures.streams - 1, 0), "stream"),
        "browser": f"one of {_count(provider.tabs, 'tab')}",
    }


def _count(number: int, of: str) -> str:
    return f"{number} {of}{'' if number == 1 else 's'}"


def figures(scene: Scene) -> list[Node]:
    """Live figures of the server."""
    records = scene.state.records
    found: list[Node] = []
    if "info" in records.problems:
        found.append(parts.problem(records.problems["info"], "info"))
    info = records.info
    if info is None:
        return found or [parts.skeleton(6)]
    live, clock, interval = info.figures, info.clock, 2.0
    if scene.snapshot is not None:
        interval = scene.snapshot.interval_seconds
    rate = 0.0 if clock.paused else clock.speed / interval
    facts = [
        ("Server", info.version, ""),
        ("Up for", length(live.uptime), "Wall clock"),
        ("Ticks", number(float(live.ticks), ""),
         f"Each covers {duration(interval)} of simulated time"),
        ("Tick rate", number(rate, "/s"), "At the present speed of the simulated clock"),
        ("Tick time, mean", number(1000.0 * live.tick_seconds_mean, "ms"),
         "To simulate, predict and encode one interval"),
        ("Tick time, maximum", number(1000.0 * live.tick_seconds_max, "ms"),
         "Over the last 100 ticks"),
        ("Failed ticks", str(live.failed_ticks), ""),
        ("Subscribers", f"{live.streams} of {info.limits.streams}", "Open streams"),
        ("Dropped snapshots", str(live.dropped_snapshots), "Not read by their subscribers in time"),
        ("Event loop lag, p99", number(1000.0 * live.loop_lag_seconds_p99, "ms"),
         "Over the last minute"),
        ("Model", info.model_version or MISSING, ""),
        ("Records", info.store, "Where the server keeps its records"),
        ("Limits", f"{info.limits.calls} calls, {info.limits.faults} faults, "
                   f"{info.limits.services} services, write timeout "
                   f"{seconds(info.limits.write_timeout):g} s", ""),
    ]  # fmt: skip
    return [
        *found,
        h("dl.facts.wide", [parts.fact(name, value, says) for name, value, says in facts],
          class_="stale" if scene.stale else None),
        h("p.muted", EXPLAINED),
    ]  # fmt: skip
