"""What the command line prints: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sre_edge.calls.chaos import kind_name
from sre_edge.cli.plain_json import plain
from sre_edge.observation import age, observed, old_ages
from sre_edge.quantities import duration, number, probability
from sre_edge.times import moment
from sre_edge.v1 import (
    catalog_pb2,
    clock_pb2,
    fault_pb2,
    prediction_pb2,
    simulation_service_pb2,
    snapshot_pb2,
    topology_pb2,
)

_STATUS = {
    snapshot_pb2.STATUS_HEALTHY: ("●", "healthy", "green"),
    snapshot_pb2.STATUS_DEGRADED: ("▲", "degraded", "yellow"),
    snapshot_pb2.STATUS_DOWN: ("■", "down", "red"),
    snapshot_pb2.STATUS_UNKNOWN: ("◆", "unknown", "dim"),
}
_RISK_STYLE = {"low": "", "medium": "yellow", "high": "dark_orange", "critical": "bold red"}

Metrics = Sequence[catalog_pb2.MetricDefinition]

WIDTH = 20_000
"""Columns where there is no terminal that says how many it has: nothing is cut off in a pipe."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def json_line(message: Message) -> None:
    """Print a message as one line of JSON."""
    sys.stdout.write(json.dumps(plain(message)) + "\n")
    sys.stdout.flush()


def topology(system: topology_pb2.Topology) -> None:
    """Show a topology."""
    table = plain_table(
        system.name, ("service", "kind", "replicas", "load", "p95 objective", "calls")
    )
    for service in system.services:
        kind = topology_pb2.ServiceKind.Name(service.kind).removeprefix("SERVICE_KIND_").lower()
        calls = ", ".join(
            call.service if call.required else f"({call.service})" for call in service.dependencies
        )
        load = number(service.ingress_rps, "req/s") if service.entry else ""
        table.add_row(
            service.name, kind, str(service.replicas), load,
            number(service.slo.latency_ms, "ms"), calls,
        )  # fmt: skip
    console.print(table)


def overview(catalog: catalog_pb2.Catalog) -> list[catalog_pb2.MetricDefinition]:
    """Choose the metrics of services that are shown without being asked for."""
    return [
        metric
        for metric in catalog.metrics
        if metric.overview and metric.scope == catalog_pb2.METRIC_SCOPE_SERVICE
    ]


def snapshot(message: snapshot_pb2.Snapshot, metrics: Metrics) -> Table:
    """Make a table of a snapshot, with a column for each of these metrics.

    Where the terminal is too narrow, the kinds of the faults go first, then one metric after the
    other from the last: a figure that is cut off says nothing.
    """
    table = _snapshot(message, metrics)
    for shown in range(len(metrics), -1, -1):
        if _width(table) <= console.width:
            break
        table = _snapshot(message, metrics[:shown], compact=True)
    return table


def old_snapshot(message: snapshot_pb2.Snapshot, metrics: Metrics, why: str) -> Table:
    """Make the table of a snapshot that is out of date: how its services are now, nobody knows."""
    old = snapshot_pb2.Snapshot()
    old.CopyFrom(message)
    old.ClearField("system")
    for service in old.services:
        service.ClearField("status")
        service.ClearField("prediction")
    table = snapshot(old, metrics)
    table.title = Text.assemble((f"STALE: {why}", "bold yellow"), f"\n{table.title}")
    table.row_styles = ["dim"]
    return table


def _snapshot(message: snapshot_pb2.Snapshot, metrics: Metrics, *, compact: bool = False) -> Table:
    time = moment(message.time)
    system = probability(
        message.system.incident_probability if message.HasField("system") else None
    )
    title = f"simulated time {time} · system risk {system}"
    ages = [age(service, message.interval_seconds) for service in message.services]
    last = ("risk", "age") if any(ages) else ("risk",)
    heads = ("service", "status", *(_head(metric.title) for metric in metrics), *last)
    table = plain_table(title, heads, numbers_from=2, gap=1 if compact else 2)
    acting = {fault.target: fault for fault in message.active_faults}
    for service, old in zip(message.services, ages, strict=True):
        name = Text(service.service)
        if service.service in acting:
            kind = "" if compact else kind_name(acting[service.service].kind)
            name.append(f" ⚡{kind}", "magenta")
        cells = [number(observed(service, metric.name), metric.unit) for metric in metrics]
        mark, status, style = _status(service)
        end = (_risk(service), Text(old, "dim"))[: len(last)]
        table.add_row(name, Text(f"{mark} {status}", style), *cells, *end)
    return table


def _width(table: Table) -> int:
    """Give the width that a table has if nothing is cut off."""
    return console.measure(table, options=console.options.update_width(WIDTH)).maximum


def snapshot_lines(message: snapshot_pb2.Snapshot, metrics: Metrics) -> None:
    """Print a line per service, of names and values, as scripts and people can read them.

    What is not observed is left out; an age is there if it is more than an interval.
    """
    time = message.time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
    faults = {fault.target: kind_name(fault.kind) for fault in message.active_faults}
    for service in message.services:
        _, status, _ = _status(service)
        facts = [f"time={time}", f"service={service.service}", f"status={status}"]
        facts += [
            f"{metric.name}={value:.4g}"
            for metric in metrics
            if (value := observed(service, metric.name)) is not None
        ]
        facts += [
            f"{kind}_age_seconds={value:.4g}"
            for kind, value in old_ages(service, message.interval_seconds).items()
        ]
        if service.HasField("prediction"):
            risk = service.prediction
            facts += [
                f"risk={risk.incident_probability:.4f}",
                f"level={level_name(risk.risk_level)}",
            ]
        if service.service in faults:
            facts.append(f"fault={faults[service.service]}")
        sys.stdout.write(" ".join(facts) + "\n")
    sys.stdout.flush()


def predictions(
    found: Sequence[prediction_pb2.Prediction], system: prediction_pb2.SystemPrediction
) -> None:
    """Show predictions, the highest risk first."""
    horizon = duration(system.horizon.ToTimedelta().total_seconds())
    heads = ("service", "probability", "risk", "likely type", "confidence", "cascade risk")
    title = f"incident within {horizon} · model {system.model_version}"
    table = plain_table(title, heads)
    for one in sorted(found, key=lambda p: -p.incident_probability):
        level = level_name(one.risk_level)
        kind = prediction_pb2.IncidentType.Name(one.incident_type)
        known = one.incident_type != prediction_pb2.INCIDENT_TYPE_UNSPECIFIED
        table.add_row(
            one.service,
            probability(one.incident_probability),
            Text(level, _RISK_STYLE.get(level, "")),
            kind.removeprefix("INCIDENT_TYPE_").lower().replace("_", " ") if known else "",
            probability(one.confidence) if known else "",
            probability(one.cascade_risk),
        )
    console.print(table)
    console.print(f"system: {probability(system.incident_probability)}")
    for one in found:
        for advice in one.recommendations[:1]:
            console.print(f"{one.service}: {advice.action}")
        if one.top_factors:
            console.print(f"{one.service}, what raises its risk:")
        for reason in one.top_factors:
            console.print(f"  {reason.contribution:+.2f}  {reason.description}")


def fault(injected: fault_pb2.Fault) -> str:
    """Describe a fault in one line."""
    length = duration(injected.duration.ToTimedelta().total_seconds())
    return (
        f"{injected.id}: {kind_name(injected.kind)} on {injected.target}, "
        f"intensity {injected.intensity:g}, for {length}"
    )


def clock(state: clock_pb2.Clock) -> str:
    """Describe the simulated clock in one line."""
    speed = f"{state.speed:g} simulated seconds per second"
    return f"paused, else {speed}" if state.paused else speed


def info(found: simulation_service_pb2.GetServerInfoResponse) -> None:
    """Show facts about a server, one per line."""
    console.print(f"version: {found.version}, model {found.model_version}, store {found.store}")
    console.print(f"run: {found.cursor.run_id}, snapshot {found.cursor.sequence}")
    console.print(f"clock: {clock(found.clock)}")
    for facts in (found.figures, found.limits):
        for field, value in facts.ListFields():
            length = field.message_type is not None
            text = duration(value.ToTimedelta().total_seconds()) if length else f"{value:.7g}"
            console.print(f"{field.name.replace('_', ' ')}: {text}")


def level_name(level: prediction_pb2.RiskLevel.ValueType) -> str:
    """Name a risk level."""
    return prediction_pb2.RiskLevel.Name(level).removeprefix("RISK_LEVEL_").lower()


def _status(service: snapshot_pb2.ServiceMetrics) -> tuple[str, str, str]:
    """Give mark, name and style of a status; one that is newer than this client is unknown."""
    return _STATUS.get(service.status, _STATUS[snapshot_pb2.STATUS_UNKNOWN])


def _head(title: str) -> str:
    """Begin a title small, unless it is an abbreviation, as heads of columns are written."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def _risk(service: snapshot_pb2.ServiceMetrics) -> Text:
    if not service.HasField("prediction"):
        return Text(probability(None))
    level = level_name(service.prediction.risk_level)
    text = f"{probability(service.prediction.incident_probability)} {level}"
    return Text(text, _RISK_STYLE.get(level, ""))


def plain_table(title: str, heads: Sequence[str], numbers_from: int = 99, gap: int = 2) -> Table:
    """Make an empty table without lines; columns from `numbers_from` on are aligned right."""
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, padding=(0, gap, 0, 0)
    )
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i >= numbers_from else "left", no_wrap=True)
    return table
