"""Isotope service graphs, as Istio's load tests use them.

A service has a script: `sleep` is work of its own, `call` is a call, a list inside of the list is
calls at the same time.
"""

from __future__ import annotations

import re
from typing import Any

from simulator.importers.imported import Builder, ForeignFileError, Imported, mappings, number
from telemetry.document import parse

_UNITS_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}


def read(text: str, source: str) -> Imported:
    """Read an Isotope graph.

    Raises
    ------
    DocumentError
        If it is none.
    """
    document = parse(text, source)
    if not isinstance(document, dict) or not isinstance(document.get("services"), list):
        raise ForeignFileError([f"{source}: services: expected a list of services"])
    defaults = document.get("defaults") or {}
    builder = Builder(source)
    for i, service in enumerate(mappings(document["services"])):
        merged = {**defaults, **service}
        name = merged.get("name")
        if not isinstance(name, str) or not name:
            raise ForeignFileError([f"{source}: services[{i}].name: expected a name"])
        entry = bool(merged.get("isEntrypoint"))
        builder.service(name, kind="gateway" if entry else None, replicas=_replicas(merged))
        _unused(builder, name, merged)
        sleep_ms = _script(builder, source, f"services[{i}].script", name, merged.get("script"))
        builder.service(name, service_time_ms=sleep_ms or None)
    return builder.finish("isotope")


def _script(builder: Builder, source: str, path: str, name: str, script: Any) -> float:
    """Carry a script over; returns the milliseconds that it sleeps."""
    sleep_ms = 0.0
    for i, step in enumerate(script or []):
        where = f"{path}[{i}]"
        if isinstance(step, list):
            if len(step) > 1:
                builder.warn(f"{name}: calls at the same time are made one after the other")
            longest = 0.0
            for part in step:
                longest = max(longest, _script(builder, source, where, name, [part]))
            sleep_ms += longest
        elif isinstance(step, dict) and "sleep" in step:
            sleep_ms += _milliseconds(step["sleep"], source, where)
        elif isinstance(step, dict) and "call" in step:
            _call(builder, source, where, name, step["call"])
        else:
            raise ForeignFileError([f"{source}: {where}: expected sleep, call, or a list of them"])
    return sleep_ms


def _call(builder: Builder, source: str, where: str, name: str, call: Any) -> None:
    stated = call if isinstance(call, dict) else {"service": call}
    callee = stated.get("service")
    if not isinstance(callee, str):
        raise ForeignFileError([f"{source}: {where}.call: expected the name of a service"])
    if "size" in stated:
        builder.warn("sizes of requests and answers are left out")
    chance = number(stated.get("probability", 100))
    builder.call(name, callee, calls_per_request=(100.0 if chance is None else chance) / 100.0)


def _unused(builder: Builder, name: str, service: dict[str, Any]) -> None:
    if {"requestSize", "responseSize"} & set(service):
        builder.warn("sizes of requests and answers are left out")
    if service.get("errorRate") not in (None, 0, "0%", "0"):
        builder.warn(f"{name}: errorRate {service['errorRate']} is left out")
    known = {
        "name", "isEntrypoint", "numReplicas", "script", "requestSize", "responseSize",
        "errorRate", "type",
    }  # fmt: skip
    for key in sorted(set(service) - known):
        builder.warn(f"{name}: {key} is left out")


def _replicas(service: dict[str, Any]) -> int | None:
    found = number(service.get("numReplicas"))
    return int(found) if found else None


def _milliseconds(value: Any, source: str, where: str) -> float:
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", str(value))
    if not parts or "".join(n + u for n, u in parts) != str(value):
        raise ForeignFileError([f"{source}: {where}.sleep: expected a duration such as 10ms"])
    return sum(float(amount) * _UNITS_MS[unit] for amount, unit in parts)
