"""The features: one table that training, serving and the documentation share."""

from __future__ import annotations

from dataclasses import dataclass

METRICS = "frame: metrics of the service"
HISTORY = "frame: the service against its own past"
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
        Name in the artefact and in `Prediction.features`.
    unit
        Unit of the value.
    source
        Input that it is computed from.
    meaning
        Description in one line.
    learned
        Whether it is an input of the model; others are computed and shown only.
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

SINCE_JUMP = (
    ("strain", "strain", "ratio/s", "strain"),
    ("cpu", "cpu_percent", "%/s", "CPU"),
    ("memory", "memory_percent", "%/s", "memory"),
    ("request", "request_ratio", "ratio/s", "request rate over its normal"),
    ("availability", "availability_percent", "%/s", "availability"),
)
"""Trends since the last jump, over at most 30 s: name, source feature, unit of the slope, text."""

NEIGHBOUR_FEATURES = (
    ("dependency_p95_over_slo", "dependencies", 1.0, "p95_over_slo"),
    ("dependency_error_worst", "dependencies", 1.0, "error_rate_percent"),
    ("dependency_cpu_worst", "dependencies", 1.0, "cpu_percent"),
    ("dependency_memory_worst", "dependencies", 1.0, "memory_percent"),
    ("dependency_availability_least", "dependencies", -1.0, "availability_percent"),
    ("dependency_latency_z", "dependencies", 1.0, "latency_z_smooth"),
    ("dependency_cpu_z", "dependencies", 1.0, "cpu_z_smooth"),
    ("dependency_strain", "dependencies", 1.0, "strain_mean_4s"),
    ("dependency_strain_slope", "dependencies", 1.0, "strain_slope_30s"),
    ("below_cpu_worst", "below", 1.0, "cpu_percent"),
    ("below_memory_worst", "below", 1.0, "memory_percent"),
    ("below_memory_soonest_s", "below", -1.0, "memory_full_s"),
    ("below_availability_least", "below", -1.0, "availability_percent"),
    ("below_capacity_worst", "below", 1.0, "capacity_ratio"),
    ("below_strain", "below", 1.0, "strain_mean_4s"),
    ("below_breach_soonest_s", "below", -1.0, "breach_reached_s"),
    ("below_availability_gone_s", "below", -1.0, "availability_gone_since_jump_s"),
    ("below_cpu_full_s", "below", -1.0, "cpu_full_since_jump_s"),
    ("below_strain_in_30s", "below", 1.0, "strain_in_30s"),
    ("below_strain_slope_since_jump", "below", 1.0, "strain_slope_since_jump"),
    ("below_strain_change_2s", "below", 1.0, "strain_change_2s"),
    ("below_cpu_change_4s", "below", 1.0, "cpu_change_4s"),
    ("below_availability_change_4s", "below", -1.0, "availability_change_4s"),
    ("below_cpu_after_loss", "below", 1.0, "cpu_after_loss"),
    ("below_since_jump_s", "below", -1.0, "since_jump_s"),
    ("below_unusual_for_s", "below", 1.0, "unusual_for_s"),
    ("below_breached_60s", "below", 1.0, "breached_60s"),
    ("caller_request_ratio", "callers", 1.0, "request_ratio"),
    ("caller_error_worst", "callers", 1.0, "error_rate_percent"),
    ("caller_strain", "callers", 1.0, "strain_mean_4s"),
    ("caller_since_jump_s", "callers", -1.0, "since_jump_s"),
    ("caller_breached_60s", "callers", 1.0, "breached_60s"),
)
"""Extremes over neighbours: name, kind of neighbours, 1 for highest or -1 for lowest, feature.

`dependencies` are called directly, those `below` also through others.
"""

DEVIATIONS = (
    ("cpu", "CPU"),
    ("memory", "memory"),
    ("latency", "latency"),
    ("p95", "95th percentile of latency"),
    ("error_rate", "error rate"),
    ("request", "request rate"),
)

_OWN: tuple[Feature, ...] = (
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
        _f(f"{name}_z", "deviations", HISTORY, f"{what} against its baseline")
        for name, what in DEVIATIONS
    ),
    *(
        _f(f"{name}_z_smooth", "deviations", HISTORY, f"the same for {what}, mean over some 10 s")
        for name, what in DEVIATIONS
    ),
    _f("latency_ratio", "ratio", HISTORY, "latency over its baseline, at most 100"),
    _f("request_ratio", "ratio", HISTORY, "request rate over its baseline, at most 20"),
    _f("cpu_ratio", "ratio", HISTORY, "CPU over its baseline, at most 20"),
    _f("throughput_per_cpu_ratio", "ratio", HISTORY, "requests per CPU over its baseline"),
    *(
        _f(f"{name}_slope_{window}", unit, HISTORY, f"slope of {what} over {window}")
        for window, _ in SLOPES
        for name, unit, what in SLOPED
    ),
    _f("cpu_after_loss", "%", METRICS, "CPU if one more replica were lost, at most 300"),
    _f("cpu_headroom", "%", METRICS, "CPU left to the limit"),
    _f("capacity_ratio", "ratio", HISTORY, "request rate over the estimated capacity"),
    _f("memory_full_s", "s", HISTORY, "time until memory is full at the 30 s slope, at most 600"),
    _f("cpu_full_s", "s", HISTORY, "time until the CPU is full at the 30 s slope, at most 600"),
    _f(
        "slo_reached_s",
        "s",
        HISTORY,
        "time until p95 meets its objective at that slope, at most 600",
    ),
    _f("breached_16s", "share", HISTORY, "breached intervals among the last 8"),
    _f("breached_60s", "share", HISTORY, "breached intervals among the last 30"),
    _f("since_breach_s", "s", HISTORY, "time since the last breach, at most 600"),
    _f("since_change_s", "s", HISTORY, "time since a metric last left its normal, at most 600"),
    _f("since_jump_s", "s", HISTORY, "time since a metric last jumped, at most 600"),
    _f("unusual_for_s", "s", HISTORY, "how long some metric has been off its normal, at most 600"),
    _f("strain", "ratio", HISTORY, "what a breach is made of over its limit; 1 is a breach"),
    _f("strain_mean_4s", "ratio", HISTORY, "its mean over 4 s"),
    _f("strain_mean_10s", "ratio", HISTORY, "its mean over 10 s"),
    _f("strain_mean_30s", "ratio", HISTORY, "its mean over 30 s"),
    _f("strain_least_10s", "ratio", HISTORY, "its least value in 10 s"),
    _f("strain_most_30s", "ratio", HISTORY, "its highest value in 30 s"),
    _f("strain_deviation_10s", "ratio", HISTORY, "its standard deviation over 10 s"),
    _f("strain_margin", "deviations", HISTORY, "how far that mean is below a breach"),
    _f("strain_slope_10s", "1/s", HISTORY, "its slope over 10 s"),
    _f("strain_slope_30s", "1/s", HISTORY, "its slope over 30 s"),
    _f("strain_in_30s", "ratio", HISTORY, "where it will be in 30 s at that slope"),
    *(
        _f(
            f"{name}_change_{window}",
            unit.removesuffix("/s"),
            HISTORY,
            f"change of {what} in {window}",
        )
        for name, _, unit, what in SINCE_JUMP
        for window in ("2s", "4s")
    ),
    _f("strain_since_jump", "ratio", HISTORY, "its mean since the last jump, at most 30 s"),
    *(
        _f(f"{name}_slope_since_jump", unit, HISTORY, f"slope of {what} since the last jump")
        for name, _, unit, what in SINCE_JUMP
    ),
    _f("breach_reached_s", "s", HISTORY, "time until a breach at the slope since the last jump"),
    _f("cpu_full_since_jump_s", "s", HISTORY, "time until the CPU is full at that slope"),
    _f(
        "availability_gone_since_jump_s",
        "s",
        HISTORY,
        "time until no replica is left at that slope",
    ),
    _f("availability_gone_s", "s", HISTORY, "time until no replica is left at the 10 s slope"),
    _f("edge_error_worst", "%", EDGES, "highest error rate among its calls"),
    _f("edge_latency_over_timeout", "ratio", EDGES, "highest latency over timeout among its calls"),
    _f("edge_latency_z", "deviations", EDGES, "highest latency against its baseline"),
    _f("edge_retry_ratio", "ratio", EDGES, "most calls per request over the normal"),
    _f("dependency_error_mean", "%", BELOW, "error rate, mean weighted by call rate"),
    _f("dependency_health", "0 to 1", BELOW, "seed: health of its dependencies, 1 is healthy"),
    _f("cascade_risk", "0 to 1", BELOW, "seed: risk that failing services below take it down"),
    _f("slo_violations", "count", METRICS, "seed: objectives violated by it and by all below"),
    _f("critical_path_latency_ms", "ms", BELOW, "seed: slowest chain of calls", learned=False),
    _f("critical_path_ratio", "ratio", BELOW, "the same over its baseline"),
    _f("caller_request_z_mean", "deviations", ABOVE, "request rate, mean weighted by call rate"),
    _f("is_entry", "0 or 1", STATIC, "load enters here"),
    _f("distance_from_entry", "calls", STATIC, "fewest calls from an entry"),
    _f("height", "calls", STATIC, "longest chain of calls below, at most 64"),
    _f("fan_out", "count", STATIC, "services that it calls"),
    _f("fan_in", "count", STATIC, "services that call it"),
    _f("required_share", "share", STATIC, "required ones among its dependencies"),
    _f("retries_most", "count", STATIC, "most retries among its calls"),
    _f("replicas", "count", STATIC, "configured replicas"),
    _f("failure_spread", "0 to 1", STATIC, "probability that its failure reaches an entry"),
    _f("hour_of_day", "h", CLOCK, "seed: hour of the day", learned=False),
    _f("is_peak_hour", "0 or 1", CLOCK, "seed: 9 to 18 h", learned=False),
    _f("is_weekend", "0 or 1", CLOCK, "seed: Saturday or Sunday", learned=False),
)

_UNITS = {feature.name: feature.unit for feature in _OWN}
_WHERE = {"dependencies": BELOW, "below": BELOW, "callers": ABOVE}

FEATURES: tuple[Feature, ...] = (
    *_OWN,
    *(
        _f(
            name,
            _UNITS[base],
            _WHERE[among],
            f"{'highest' if sign > 0 else 'lowest'} `{base}` among its {among}"
            if among != "below"
            else f"{'highest' if sign > 0 else 'lowest'} `{base}` of all services below",
        )
        for name, among, sign, base in NEIGHBOUR_FEATURES
    ),
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
