"""Defaults of the topology file. `docs/simulator.md` shows the same table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KindDefaults:
    """What depends on the kind of a service.

    Attributes
    ----------
    service_time_ms
        Mean own work per request.
    memory_limit_mb
        Memory limit of a replica.
    memory_base_share
        Memory without requests over the limit.
    startup_s
        From the start of a replica until it serves.
    """

    service_time_ms: float
    memory_limit_mb: float
    memory_base_share: float
    startup_s: float


KIND_DEFAULTS = {
    "gateway": KindDefaults(10.0, 512.0, 0.35, 5.0),
    "service": KindDefaults(20.0, 1024.0, 0.40, 10.0),
    "database": KindDefaults(10.0, 4096.0, 0.50, 15.0),
    "cache": KindDefaults(2.0, 2048.0, 0.50, 5.0),
    "queue": KindDefaults(5.0, 1024.0, 0.35, 10.0),
    "external": KindDefaults(60.0, 1024.0, 0.30, 10.0),
}

INGRESS_RPS = 120.0
TARGET_UTILISATION = 0.35
MIN_WORKERS = 4
MIN_REPLICAS, MAX_REPLICAS = 2, 3
MAX_AMPLIFICATION = 8.0
"""Calls at the deepest level that one request from outside causes, at most."""
BACK_EDGE_DAMPING = 0.1
RETRIES = 2
MIN_TIMEOUT_MS = 1000.0
MIN_USER_TIMEOUT_MS = 10_000.0
MIN_SLO_LATENCY_MS = 50.0
P95_FACTOR = 3.0
"""Timeouts and latency objectives over the nominal 95th percentile."""
QUEUE_SHARE_OF_TIMEOUT = 0.5
"""A full queue is worked off in this share of the shortest timeout of its callers."""
NOMINAL_BLOCKING = 1e-6
"""Share of requests that a default queue limit may reject at the nominal load."""
MIN_QUEUE_LIMIT = 16
PER_REQUEST_KB = 256.0
FULL_QUEUE_MEMORY_SHARE = 0.25
"""A full queue takes at most this share of the memory between base and limit."""
SLO_THROUGHPUT_SHARE = 0.8
"""Throughput objective over the nominal load."""
