"""The strongest factors of a prediction, with a text for people."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ml.features import NAMES
from ml.features.neighbours import MAX_DEPTH
from ml.features.table import NEIGHBOUR_FEATURES
from telemetry.frame import Frame
from telemetry.graph import FloatArray, IntArray, ServiceGraph

COUNT = 5
NEVER_S = 600.0


class Factor(NamedTuple):
    """One factor of a prediction.

    Attributes
    ----------
    feature
        Name of an input of the model.
    service
        Service that the factor describes: the one at risk, or one that it calls or that calls it.
    value
        Value in the unit of the feature; NaN if it was not observed, which may be a factor too.
    contribution
        Contribution to the log-odds of an incident.
    text
        Text for people.
    """

    feature: str
    service: str
    value: float
    contribution: float
    text: str


def top_factors(
    graph: ServiceGraph,
    frame: Frame,
    features: FloatArray,
    service: int,
    names: tuple[str, ...],
    contributions: FloatArray,
) -> list[Factor]:
    """Give the inputs that raise the risk of a service most, strongest first.

    Parameters
    ----------
    graph, frame
        The system and its latest frame, of which copy 0 is used.
    features
        (S, F) features of all services, in the order of `ml.features.NAMES`.
    service
        Index of the service at risk.
    names, contributions
        (M,) names of the model's inputs, and the contribution of each to the log-odds.
    """
    found: list[Factor] = []
    texts: set[str] = set()
    for i in np.argsort(-contributions, kind="stable"):
        if contributions[i] <= 0.0 or len(found) == COUNT:
            break
        name = names[int(i)]
        value = float(features[service, NAMES.index(name)])
        origin, text = _factor_text(graph, frame, features, service, name, value)
        if text in texts:
            continue
        texts.add(text)
        found.append(Factor(name, graph.names[origin], value, float(contributions[i]), text))
    return found


def _factor_text(
    graph: ServiceGraph,
    frame: Frame,
    features: FloatArray,
    service: int,
    name: str,
    value: float,
) -> tuple[int, str]:
    """Find the service that a feature describes, and write the text."""
    if name in _NEIGHBOUR_FEATURES:
        among, sign, base = _NEIGHBOUR_FEATURES[name]
        others = _others(graph, service, among)
        if not len(others):
            return service, _NO_NEIGHBOUR[among].format(service=graph.names[service])
        values = sign * features[others, NAMES.index(base)]
        if len(others) and np.isfinite(values).any():
            origin = int(others[int(np.nanargmax(values))])
            text = _feature_text(
                base, graph.names[origin], float(features[origin, NAMES.index(base)])
            )
            return origin, f"{text} ({_RELATION[among]} {graph.names[service]})"
    if not np.isfinite(value):
        return service, f"{graph.names[service]}: {_plain(name)} is not known"
    if name in _EDGES:
        origin = _worst_callee(graph, frame, service, name)
        return origin, _EDGES[name].format(
            service=graph.names[service], callee=graph.names[origin], v=value
        )
    return service, _feature_text(name, graph.names[service], value)


def _feature_text(name: str, service: str, value: float) -> str:
    if name in _REACHED:
        what, often = _REACHED[name]
        if value >= NEVER_S:
            return f"{service} {what} does not approach its limit"
        return f"{service} {what} {often} in about {value:.0f} s"
    for suffix, metrics in (("_z_smooth", _METRICS), ("_z", _METRICS)):
        stem = name.removesuffix(suffix)
        if name.endswith(suffix) and stem in metrics:
            side = "above" if value >= 0.0 else "below"
            return (
                f"{service} {metrics[stem]} is {abs(value):.1f} standard deviations {side} normal"
            )
    stem, _, window = name.partition("_change_")
    if window and stem in _SLOPED:
        what, unit, scale = _SLOPED[stem]
        return f"{service} {what} changed by {value * scale:+.2g}{unit} in {window[:-1]} s"
    stem, _, window = name.partition("_slope_")
    if window and stem in _SLOPED:
        direction = "rises" if value >= 0.0 else "falls"
        what, unit, scale = _SLOPED[stem]
        return f"{service} {what} {direction} by {abs(value) * scale * 60.0:.2g}{unit} per minute"
    return _TEXTS[name].format(service=service, v=value)


def _others(graph: ServiceGraph, service: int, among: str) -> IntArray:
    """Services that a feature looks at."""
    if among == "callers":
        return np.unique(graph.caller[graph.callee == service])
    reached = np.zeros(graph.services, dtype=np.bool_)
    frontier = np.array([service])
    for _ in range(1 if among == "dependencies" else MAX_DEPTH):
        frontier = np.unique(graph.callee[np.isin(graph.caller, frontier)])
        frontier = frontier[~reached[frontier]]
        reached[frontier] = True
    return np.flatnonzero(reached)


def _worst_callee(graph: ServiceGraph, frame: Frame, service: int, name: str) -> int:
    edges = np.flatnonzero(graph.caller == service)
    if not len(edges):
        return service
    errors = frame.edge_error_rate_percent[0, edges]
    late = frame.edge_latency_ms[0, edges] / graph.timeout_ms[edges]
    values = np.nan_to_num(errors if name == "edge_error_worst" else late, nan=-1.0)
    return int(graph.callee[edges[int(values.argmax())]])


def _plain(name: str) -> str:
    return name.replace("_", " ")


_NEIGHBOUR_FEATURES = {name: (among, sign, base) for name, among, sign, base in NEIGHBOUR_FEATURES}
_RELATION = {"dependencies": "called by", "below": "below", "callers": "calls"}

_NO_NEIGHBOUR = {
    "dependencies": "{service} calls no other service",
    "below": "{service} calls no other service",
    "callers": "no other service calls {service}",
}

_EDGES = {
    "edge_error_worst": "{v:.1f} % of the calls of {service} to {callee} fail",
    "edge_latency_over_timeout": "calls of {service} to {callee} take {v:.0%} of their timeout",
    "edge_latency_z": (
        "calls of {service} to {callee} are {v:.1f} standard deviations slower than normal"
    ),
    "edge_retry_ratio": "{service} calls {v:.1f} times as often per request as normal",
}
_METRICS = {
    "cpu": "CPU",
    "memory": "memory",
    "latency": "latency",
    "p95": "p95 latency",
    "error_rate": "error rate",
    "request": "request rate",
}
_SLOPED = {
    "cpu": ("CPU", " points", 1.0),
    "memory": ("memory", " points", 1.0),
    "p95_slo": ("p95 latency", " times its objective", 1.0),
    "error_rate": ("error rate", " points", 1.0),
    "request": ("request rate", " % of its normal", 100.0),
    "availability": ("availability", " points", 1.0),
    "throughput_per_cpu": ("throughput per CPU", " % of its normal", 100.0),
    "strain": ("strain", " of a breach", 1.0),
}
_REACHED = {
    "memory_full_s": ("memory", "reaches its limit"),
    "cpu_full_s": ("CPU", "reaches its limit"),
    "slo_reached_s": ("p95 latency", "reaches its objective"),
    "availability_gone_s": ("availability", "reaches zero"),
    "availability_gone_since_jump_s": ("availability", "reaches zero"),
    "cpu_full_since_jump_s": ("CPU", "reaches its limit"),
    "breach_reached_s": ("strain", "reaches a breach"),
}
_TEXTS = {
    "cpu_percent": "{service} CPU is at {v:.0f} %",
    "memory_percent": "{service} memory is at {v:.0f} % of its limit",
    "error_rate_percent": "{service} fails {v:.1f} % of its requests",
    "availability_percent": "{v:.0f} % of the replicas of {service} are ready",
    "failed_count_log": "{service} fails many requests in each interval",
    "p95_over_slo": "{service} p95 latency is {v:.2f} times its objective",
    "latency_tail": "the slowest requests of {service} take {v:.1f} times as long as most",
    "errors_over_slo": "{service} error rate is {v:.1f} times its objective",
    "latency_ratio": "{service} latency is {v:.1f} times its normal value",
    "request_ratio": "{service} gets {v:.2f} times its normal load",
    "cpu_ratio": "{service} CPU is {v:.2f} times its normal value",
    "throughput_per_cpu_ratio": "{service} does {v:.2f} times its normal work per CPU",
    "cpu_headroom": "{service} has {v:.0f} % of its CPU left",
    "capacity_ratio": "{service} gets {v:.0%} of the load that fills its CPU",
    "breached_16s": "{service} was in breach in {v:.0%} of the last 16 s",
    "breached_60s": "{service} was in breach in {v:.0%} of the last minute",
    "since_breach_s": "{service} was last in breach {v:.0f} s ago",
    "since_change_s": "{service} last left its normal range {v:.0f} s ago",
    "since_jump_s": "{service} changed abruptly {v:.0f} s ago",
    "unusual_for_s": "{service} has been outside its normal range for {v:.0f} s",
    "strain": "{service} is at {v:.0%} of what breaches its objectives",
    "strain_mean_4s": "{service} is at {v:.0%} of what breaches its objectives",
    "strain_since_jump": "{service} has been at {v:.0%} of a breach since it changed",
    "cpu_after_loss": "{service} CPU would be at {v:.0f} % with one replica fewer",
    "replicas": "{service} has {v:.0f} replicas",
    "strain_mean_10s": "{service} was at {v:.0%} of a breach over 10 s",
    "strain_mean_30s": "{service} was at {v:.0%} of a breach over 30 s",
    "strain_least_10s": "{service} did not fall below {v:.0%} of a breach in 10 s",
    "strain_most_30s": "{service} reached {v:.0%} of a breach in 30 s",
    "strain_deviation_10s": "{service} fluctuates by {v:.0%} of a breach",
    "strain_margin": "{service} is {v:.1f} times its usual fluctuation away from a breach",
    "strain_in_30s": "{service} is on its way to {v:.0%} of a breach in 30 s",
    "dependency_error_mean": "{v:.1f} % of the requests to the dependencies of {service} fail",
    "dependency_health": "the dependencies of {service} have a health of {v:.0%}",
    "cascade_risk": "services below {service} fail, and may take it down",
    "slo_violations": "objectives violated by {service} and its dependencies: {v:.0f}",
    "critical_path_ratio": "the slowest calls of {service} take {v:.1f} times as long as normal",
    "caller_request_z_mean": "the load of callers of {service} is {v:.1f} deviations off normal",
    "is_entry": "whether {service} takes load from outside",
    "distance_from_entry": "{service} is {v:.0f} calls away from an entry",
    "height": "chains of up to {v:.0f} calls begin at {service}",
    "fan_out": "{service} calls {v:.0f} services",
    "fan_in": "{v:.0f} services call {service}",
    "required_share": "{v:.0%} of the dependencies of {service} are required",
    "retries_most": "{service} retries up to {v:.0f} times",
    "failure_spread": "a failure of {service} reaches an entry with {v:.0%} probability",
}
