"""What Prometheus can scrape: the services, the predictions, and the server itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

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
from server.rpc.broadcast import Broadcaster
from server.rpc.event_feed import EventFeed
from server.rpc.server_info import VERSION
from server.store import Store
from server.systems.system import System
from server.systems.ticker import Ticker
from telemetry.graph import FloatArray
from telemetry.metrics import SERVICE_METRICS

_EXPORTED = tuple(metric for metric in SERVICE_METRICS if metric.overview or metric.chart)
"""Only what the clients show by default is exported; the API has the rest."""


class SystemCollector(Collector):
    """Reads the latest snapshot when it is scraped."""

    def __init__(
        self,
        system: System,
        broadcaster: Broadcaster,
        feed: EventFeed,
        ticker: Ticker,
        store: Store,
    ) -> None:
        self._system, self._broadcaster, self._feed = system, broadcaster, feed
        self._ticker, self._store = ticker, store

    def collect(self) -> Iterator[Metric]:
        """Give all metrics."""
        snapshot = self._system.latest
        names = snapshot.graph.names
        for metric in _EXPORTED:
            values = getattr(snapshot.frame, metric.field)[0]
            name = f"sre_edge_service_{metric.name}"
            yield _by_service(name, metric.sentence, names, values)
        if snapshot.forecast is not None:
            for name, help_text, values in (
                ("incident_probability", "Probability of an incident within the horizon.",
                 snapshot.forecast.probability),
                ("cascade_risk", "Probability that a failure spreads to an entry service.",
                 snapshot.forecast.cascade_risk),
            ):  # fmt: skip
                yield _by_service(f"sre_edge_{name}", help_text, names, values)
            yield GaugeMetricFamily(
                "sre_edge_system_incident_probability",
                "Probability of an incident of any entry service within the horizon.",
                value=snapshot.forecast.system_probability,
            )
        yield from _of_objectives(self._system.findings)
        yield from self._of_the_server(snapshot)

    def _of_the_server(self, snapshot: Snapshot) -> Iterator[Metric]:
        clock = self._system.clock
        for name, help_text, value in (
            ("sequence", "Number of the latest snapshot in its run.", snapshot.sequence),
            ("active_faults", "Number of active faults.", len(snapshot.faults)),
            ("kill_switch", "Whether faults are refused.", self._system.kill_switch),
            ("streams", "Number of open snapshot streams.", self._broadcaster.streams),
            ("event_streams", "Number of open event streams.", self._feed.streams),
            ("clock_paused", "Whether the simulated clock is paused.", clock.paused),
            ("clock_speed", "Simulated seconds per second.", clock.speed),
        ):
            yield GaugeMetricFamily(f"sre_edge_{name}", help_text, value=float(value))
        for name, help_text, count in (
            ("dropped_snapshots", "Snapshots dropped for subscribers that were too slow.",
             self._broadcaster.dropped),
            ("failed_ticks", "Ticks that failed.", self._ticker.failed),
            ("lost_records", "Records that could not be written.", self._store.lost),
        ):  # fmt: skip
            yield CounterMetricFamily(f"sre_edge_{name}", help_text, value=count)
        model = {"model_version": self._system.model_version, "version": VERSION}
        yield InfoMetricFamily(
            "sre_edge_server", "Versions of the server and of the live model.", value=model
        )


def _of_objectives(findings: Findings) -> Iterator[Metric]:
    """Give the state of incidents and error budgets."""
    budgets, names = findings.budgets, findings.graph.names
    yield _by_service(
        "sre_edge_service_in_incident",
        "Whether the service is in an incident.",
        names,
        findings.states.open.astype(float),
    )
    spent = GaugeMetricFamily(
        "sre_edge_slo_budget_spent_ratio",
        "Share of the period's error budget that is spent; above 1 it is overspent.",
        labels=["service", "objective"],
    )
    for objective, shares in zip(OBJECTIVES, budgets.spent.tolist(), strict=True):
        for service, share in zip(names, shares, strict=True):
            spent.add_metric([service, objective.value], share)
    yield spent
    alerts = GaugeMetricFamily(
        "sre_edge_slo_alerts", "Number of error budget alerts that fire.", labels=["severity"]
    )
    for severity, firing in zip(SEVERITIES, budgets.firing, strict=True):
        alerts.add_metric([severity.value], float(firing.sum()))
    yield alerts


def _by_service(
    name: str, help_text: str, services: Iterable[str], values: FloatArray
) -> GaugeMetricFamily:
    """Make a gauge with one value per service; one that was not observed is left out."""
    family = GaugeMetricFamily(name, help_text, labels=["service"])
    for service, value in zip(services, values.tolist(), strict=True):
        if math.isfinite(value):
            family.add_metric([service], value)
    return family


def tick_seconds(registry: CollectorRegistry) -> Histogram:
    """Make the histogram of how long a tick takes."""
    return Histogram(
        "sre_edge_tick_seconds",
        "Time to simulate, predict and encode one interval.",
        buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
        registry=registry,
    )
