"""HTTP beside gRPC: `/metrics` for Prometheus, `/healthz` for probes."""

HEALTH = "/healthz"
METRICS = "/metrics"
