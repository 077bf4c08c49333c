"""The features: one table that training, serving and the documentation share."""

from __future__ import annotations

from dataclasses import dataclass

METRICS = "frame: metrics of the service"
PAST = "frame: the service against its own past"
EDGES = "frame: calls that the service makes"
BELOW = "frame: metrics of its dependencies"
ABOVE = "frame: metrics of its callers"
STATIC = "topology file"
CLOCK = "simulated clock"


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of the model.

    Attributes
    ----------
    name
        As in the artefact and in `Prediction.features`.
    unit
        Of its value.
    source
        What it is computed from.
    meaning
        One line.
    learned
        False: computed and shown, but not an input of the model.
    """

    name: str
    unit: str
    source: str
    meaning: str
    learned: bool = True


def _f(name: str, unit: str, source: str, meaning: str, *, learned: bool = True) -> Feature:
    return Feature(name, unit, source, meaning, learned)


SLOPED = (
    ("cpu", "%/s", "CPU"),
    ("memory", "%/s", "memory"),
    ("p95_slo", "1/s", "95th percentile of latency over its objective"),
    ("error_rate", "%/s", "error rate"),
    ("request", "1/s", "request rate over its normal"),
    ("availability", "%/s", "availability"),
    ("throughput_per_cpu", "1/s", "throughput per CPU over its normal"),
)
SLOPES = (("10s", 5), ("30s", 15), ("60s", 30))
"""Windows of the slopes by name, in frames."""

DEVIATIONS = (
    ("cpu", "CPU"),
    ("memory", "memory"),
    ("latency", "latency"),
    ("p95", "95th percentile of latency"),
    ("error_rate", "error rate"),
    ("request", "request rate"),
)

FEATURES: tuple[Feature, ...] = (
    _f("cpu_percent", "%", METRICS, "CPU now"),
    _f("memory_percent", "%", METRICS, "memory now"),
    _f("error_rate_percent", "%", METRICS, "error rate now"),
    _f("availability_percent", "%", METRICS, "ready replicas over configured ones"),
    _f("latency_ms", "ms", METRICS, "mean latency now", learned=False),
    _f("throughput_rps", "1/s", METRICS, "requests answered per second", learned=False),
    _f("failed_count_log", "log(1+n)", METRICS, "failed requests in the interval"),
    _f("p95_over_slo", "ratio", METRICS, "95th percentile of latency over its objective"),
    _f("latency_tail", "ratio", METRICS, "99th over 50th percentile of latency"),
    _f("errors_over_slo", "ratio", METRICS, "error rate over its objective, at most 100"),
    *(
        _f(f"{name}_z", "deviations", PAST, f"{what} against its baseline")
        for name, what in DEVIATIONS
    ),
    *(
        _f(f"{name}_z_smooth", "deviations", PAST, f"the same for {what}, mean over some 10 s")
        for name, what in DEVIATIONS
    ),
    _f("latency_ratio", "ratio", PAST, "latency over its baseline, at most 100"),
    _f("request_ratio", "ratio", PAST, "request rate over its baseline, at most 20"),
    _f("cpu_ratio", "ratio", PAST, "CPU over its baseline, at most 20"),
    _f("throughput_per_cpu_ratio", "ratio", PAST, "requests per CPU over its baseline"),
    *(
        _f(f"{name}_slope_{window}", unit, PAST, f"slope of {what} over {window}")
        for window, _ in SLOPES
        for name, unit, what in SLOPED
    ),
    _f("cpu_headroom", "%", METRICS, "CPU left to the limit"),
    _f("capacity_ratio", "ratio", PAST, "request rate over the estimated capacity"),
    _f("memory_full_s", "s", PAST, "time until memory is full at the 30 s slope, at most 600"),
    _f("cpu_full_s", "s", PAST, "time until the CPU is full at the 30 s slope, at most 600"),
    _f("slo_reached_s", "s", PAST, "time until p95 meets its objective at that slope, at most 600"),
    _f("breached_16s", "share", PAST, "breached intervals among the last 8"),
    _f("breached_60s", "share", PAST, "breached intervals among the last 30"),
    _f("since_breach_s", "s", PAST, "time since the last breach, at most 600"),
    _f("since_change_s", "s", PAST, "time since a metric last left its normal, at most 600"),
    _f("edge_error_worst", "%", EDGES, "highest error rate among its calls"),
    _f("edge_latency_over_timeout", "ratio", EDGES, "highest latency over timeout among its calls"),
    _f("edge_latency_z", "deviations", EDGES, "highest latency against its baseline"),
    _f("edge_retry_ratio", "ratio", EDGES, "most calls per request over the normal"),
    _f("dependency_p95_over_slo", "ratio", BELOW, "worst p95 over objective"),
    _f("dependency_error_worst", "%", BELOW, "worst error rate"),
    _f("dependency_error_mean", "%", BELOW, "error rate, mean weighted by call rate"),
    _f("dependency_cpu_worst", "%", BELOW, "highest CPU"),
    _f("dependency_memory_worst", "%", BELOW, "highest memory"),
    _f("dependency_unavailable", "%", BELOW, "most replicas missing"),
    _f("dependency_latency_z", "deviations", BELOW, "worst latency against its baseline"),
    _f("dependency_cpu_z", "deviations", BELOW, "highest CPU against its baseline"),
    _f("below_cpu_worst", "%", BELOW, "highest CPU of all services below"),
    _f("below_memory_worst", "%", BELOW, "highest memory of all services below"),
    _f("below_memory_soonest_s", "s", BELOW, "least time until memory is full, at most 600"),
    _f("below_unavailable", "%", BELOW, "most replicas missing among all below"),
    _f("below_capacity_worst", "ratio", BELOW, "highest use of the estimated capacity below"),
    _f("below_breached_60s", "share", BELOW, "most breached intervals of the last 60 s below"),
    _f("dependency_health", "0 to 1", BELOW, "seed: health of its dependencies, 1 is healthy"),
    _f("cascade_risk", "0 to 1", BELOW, "seed: risk that failing services below take it down"),
    _f("slo_violations", "count", METRICS, "seed: objectives violated by it and by all below"),
    _f("critical_path_latency_ms", "ms", BELOW, "seed: slowest chain of calls", learned=False),
    _f("critical_path_ratio", "ratio", BELOW, "the same over its baseline"),
    _f("caller_request_ratio", "ratio", ABOVE, "highest request rate over its normal"),
    _f("caller_error_worst", "%", ABOVE, "worst error rate"),
    _f("caller_breached_60s", "share", ABOVE, "most breached intervals of the last 60 s"),
    _f("caller_request_z_mean", "deviations", ABOVE, "request rate, mean weighted by call rate"),
    _f("is_entry", "0 or 1", STATIC, "load enters here"),
    _f("distance_from_entry", "calls", STATIC, "fewest calls from an entry"),
    _f("height", "calls", STATIC, "longest chain of calls below, at most 64"),
    _f("fan_out", "count", STATIC, "services that it calls"),
    _f("fan_in", "count", STATIC, "services that call it"),
    _f("required_share", "share", STATIC, "required ones among its dependencies"),
    _f("retries_most", "count", STATIC, "most retries among its calls"),
    _f("failure_spread", "0 to 1", STATIC, "probability that its failure reaches an entry"),
    _f("hour_of_day", "h", CLOCK, "seed: hour of the day", learned=False),
    _f("is_peak_hour", "0 or 1", CLOCK, "seed: 9 to 18 h", learned=False),
    _f("is_weekend", "0 or 1", CLOCK, "seed: Saturday or Sunday", learned=False),
)

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
LEARNED: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.learned)


def markdown() -> str:
    """Give the table as Markdown, for `docs/features.md`."""
    rows = [
        "# Features",
        "",
        "What the model sees of one service at one tick, all of it from frames that a real",
        "monitoring system could deliver too. Printed by `python -m ml features`; a value that was",
        "not observed is NaN. Features that are not learned are computed and shown only.",
        "",
        "| feature | unit | computed from | meaning | learned |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| `{f.name}` | {f.unit} | {f.source} | {f.meaning} | {'yes' if f.learned else 'no'} |"
        for f in FEATURES
    ]
    return "\n".join(rows) + "\n"
