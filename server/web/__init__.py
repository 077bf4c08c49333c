"""The HTTP port: `/metrics` for Prometheus, `/healthz` for probes."""

HEALTH = "/healthz"
METRICS = "/metrics"
