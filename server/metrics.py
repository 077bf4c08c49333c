"""What Prometheus can scrape: the services, the predictions, and the server itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from server.pipeline.budgets import SEVERITIES
from server.pipeline.objectives import OBJECTIVES
from server.pipeline.snapshot import Snapshot
from server.pipeline.stages import Findings
from server.rpc.hosted_system import HostedSystem, Systems
from server.rpc.server_info import VERSION
from server.store import Store
from telemetry.metrics import SERVICE_METRICS

_EXPORTED = tuple(metric for metric in SERVICE_METRICS if metric.overview or metric.chart)
"""Only what the clients show by default is exported; the API has the rest."""
_SERVICE = ("service", "system")
_SYSTEM = ("system",)

F = TypeVar("F", GaugeMetricFamily, CounterMetricFamily, InfoMetricFamily)


class SystemCollector(Collector):
    """Reads the latest snapshot of each system when it is scraped."""

    def __init__(self, systems: Systems, store: Store) -> None:
        self._systems, self._store = systems, store

    def collect(self) -> Iterator[Metric]:
        """Collect all metrics."""
        families = _Families()
        for hosted in self._systems.hosted():
            snapshot = hosted.system.latest
            _add_services(families, hosted, snapshot)
            _add_objectives(families, hosted.id, hosted.system.findings)
            _add_state(families, hosted, snapshot)
        for member in self._systems:
            watched = member.hosted is not None and not member.hosted.ticker.stale
            families.gauge(
                "system_live", "Whether the frames of the system come in time.", _SYSTEM
            ).add_metric([member.entry.id], float(watched))
        yield from families.all
        yield GaugeMetricFamily(
            "sre_edge_store_failing",
            "Whether the latest write to the database failed.",
            value=float(self._store.failing),
        )
        yield CounterMetricFamily(
            "sre_edge_lost_records", "Records that could not be written.", value=self._store.lost
        )


class _Families:
    """Families of metrics, each made when its first sample comes."""

    def __init__(self) -> None:
        self._made: dict[str, Metric] = {}

    @property
    def all(self) -> Iterable[Metric]:
        """All families, in the order in which they were made."""
        return self._made.values()

    def gauge(self, name: str, text: str, labels: Iterable[str]) -> GaugeMetricFamily:
        return self._get(GaugeMetricFamily, name, text, labels)

    def counter(self, name: str, text: str, labels: Iterable[str]) -> CounterMetricFamily:
        return self._get(CounterMetricFamily, name, text, labels)

    def info(self, name: str, text: str, labels: Iterable[str]) -> InfoMetricFamily:
        return self._get(InfoMetricFamily, name, text, labels)

    def by_service(
        self, name: str, text: str, system: str, services: Iterable[str], values: Iterable[float]
    ) -> None:
        """Add a value per service; one that was not observed is left out."""
        family = self.gauge(name, text, _SERVICE)
        for service, value in zip(services, values, strict=True):
            if math.isfinite(value):
                family.add_metric([service, system], value)

    def _get(self, kind: type[F], name: str, text: str, labels: Iterable[str]) -> F:
        family = self._made.get(name)
        if not isinstance(family, kind):
            self._made[name] = family = kind(f"sre_edge_{name}", text, labels=list(labels))
        return family


def _add_services(families: _Families, hosted: HostedSystem, snapshot: Snapshot) -> None:
    names, system = snapshot.graph.names, hosted.id
    for metric in _EXPORTED:
        values = getattr(snapshot.frame, metric.field)[0].tolist()
        families.by_service(f"service_{metric.name}", metric.sentence, system, names, values)
    forecast = snapshot.forecast
    if forecast is None:
        return
    for name, text, values in (
        ("incident_probability", "Probability of an incident within the horizon.",
         forecast.probability),
        ("cascade_risk", "Probability that a failure spreads to an entry service.",
         forecast.cascade_risk),
    ):  # fmt: skip
        families.by_service(name, text, system, names, values.tolist())
    families.gauge(
        "system_incident_probability",
        "Probability of an incident of any entry service within the horizon.",
        _SYSTEM,
    ).add_metric([system], forecast.system_probability)


def _add_objectives(families: _Families, system: str, findings: Findings) -> None:
    """Add the state of incidents and error budgets."""
    budgets, names = findings.budgets, findings.graph.names
    families.by_service(
        "service_in_incident", "Whether the service is in an incident.", system, names,
        findings.states.open.astype(float).tolist(),
    )  # fmt: skip
    spent = families.gauge(
        "slo_budget_spent_ratio",
        "Share of the period's error budget that is spent; above 1 it is overspent.",
        ("service", "objective", "system"),
    )
    for objective, shares in zip(OBJECTIVES, budgets.spent.tolist(), strict=True):
        for service, share in zip(names, shares, strict=True):
            spent.add_metric([service, objective.value, system], share)
    alerts = families.gauge(
        "slo_alerts", "Number of error budget alerts that fire.", ("severity", "system")
    )
    for severity, firing in zip(SEVERITIES, budgets.firing, strict=True):
        alerts.add_metric([severity.value, system], float(firing.sum()))


def _add_state(families: _Families, hosted: HostedSystem, snapshot: Snapshot) -> None:
    clock, system = hosted.system.clock, hosted.id
    for name, text, value in (
        ("sequence", "Number of the latest snapshot in its run.", snapshot.sequence),
        ("active_faults", "Number of active faults.", len(snapshot.faults)),
        ("kill_switch", "Whether faults are refused.", hosted.system.kill_switch.engaged),
        ("streams", "Number of open snapshot streams.", hosted.broadcaster.streams),
        ("event_streams", "Number of open event streams.", hosted.feed.streams),
        ("clock_paused", "Whether the clock of the system is paused.", clock.paused),
        ("clock_speed", "Seconds of the system's time per second.", clock.speed),
        ("frame_age_seconds", "Time since the latest frame, wall clock.",
         hosted.ticker.frame_age_s),
    ):  # fmt: skip
        families.gauge(name, text, _SYSTEM).add_metric([system], float(value))
    for name, text, count in (
        ("dropped_snapshots", "Snapshots dropped for subscribers that were too slow.",
         hosted.broadcaster.dropped),
        ("failed_ticks", "Ticks that failed.", hosted.ticker.failed),
    ):  # fmt: skip
        families.counter(name, text, _SYSTEM).add_metric([system], count)
    model = {"model_version": hosted.system.model_version, "version": VERSION}
    families.info(
        "server", "Versions of the server and of the live model of a system.", _SYSTEM
    ).add_metric([system], model)


def tick_seconds(registry: CollectorRegistry) -> Histogram:
    """Make the histogram of how long a tick takes."""
    return Histogram(
        "sre_edge_tick_seconds",
        "Time to simulate, predict and encode one interval.",
        buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
        registry=registry,
    )
