"""What Prometheus can scrape: the simulated services, the predictions, and the server itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from wsgiref.simple_server import WSGIServer

import numpy as np
from prometheus_client import CollectorRegistry, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server.settings import SettingsError
from server.snapshot import Snapshot

_SERVICE_METRICS = (
    ("cpu_percent", "CPU, percent of the limit."),
    ("memory_percent", "Memory, percent of the limit."),
    ("latency_ms", "Mean latency in milliseconds."),
    ("latency_p95_ms", "95th percentile of the latency in milliseconds."),
    ("error_rate_percent", "Failed requests in percent."),
    ("throughput_rps", "Requests answered successfully per second."),
    ("availability_percent", "Ready replicas in percent of the configured ones."),
)


class EngineCollector(Collector):
    """Reads the latest snapshot when it is scraped."""

    def __init__(
        self, latest: Callable[[], Snapshot], streams: Callable[[], int], dropped: Callable[[], int]
    ) -> None:
        self._latest, self._streams, self._dropped = latest, streams, dropped

    def collect(self) -> Iterator[Metric]:
        """Give all metrics."""
        taken = self._latest()
        names = taken.run.graph.names
        for name, help_text in _SERVICE_METRICS:
            family = GaugeMetricFamily(f"sre_edge_service_{name}", help_text, labels=["service"])
            for service, value in zip(names, getattr(taken.frame, name)[0], strict=True):
                if np.isfinite(value):
                    family.add_metric([service], float(value))
            yield family
        if taken.forecast is not None:
            family = GaugeMetricFamily(
                "sre_edge_incident_probability",
                "Probability of an incident within the horizon.",
                labels=["service"],
            )
            for service, value in zip(names, taken.forecast.probability, strict=True):
                family.add_metric([service], float(value))
            yield family
        for name, help_text, value in (
            ("sequence", "Number of the latest snapshot within its run.", taken.sequence),
            ("active_faults", "Faults that act.", len(taken.faults)),
            ("streams", "Streams that are open.", self._streams()),
            ("dropped_snapshots", "Snapshots that were not read in time.", self._dropped()),
        ):
            yield GaugeMetricFamily(f"sre_edge_{name}", help_text, value=value)


def tick_seconds(registry: CollectorRegistry) -> Histogram:
    """Make the histogram of how long a tick takes."""
    return Histogram(
        "sre_edge_tick_seconds",
        "Time to simulate, predict and encode one interval.",
        buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
        registry=registry,
    )


def serve(registry: CollectorRegistry, host: str, port: int) -> tuple[WSGIServer, int]:
    """Serve `/metrics` from a thread of its own; return the server and its port.

    Raises
    ------
    SettingsError
        If the port cannot be had.
    """
    try:
        http, _ = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise SettingsError(
            f"{host}:{port} cannot be listened on ({error.strerror}); set another address with "
            "--metrics-listen or SRE_EDGE_METRICS_LISTEN"
        ) from error
    return http, int(http.server_port)
