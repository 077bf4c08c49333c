"""Load a topology file (YAML or JSON), check it, and resolve its defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.topology import nested_keys as nested
from simulator.topology.document import (
    MAX_PROBLEMS,
    Checker,
    DocumentError,
    inside,
    parse,
    read,
    shown,
    suggestion,
)
from simulator.topology.nested_keys import MAX_REPLICAS
from simulator.topology.resolved import Topology
from simulator.topology.sizing import UnboundedLoadError, resolve
from simulator.topology.specification import (
    KINDS,
    DependencySpec,
    ServiceSpec,
    TopologySpec,
)

MAX_SERVICES = 20_000
MAX_RETRIES = 10
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

_TOPOLOGY_KEYS = ("name", "services")
_SERVICE_KEYS = (
    "name", "kind", "ingress_rps", "replicas", "workers", "cores", "max_in_flight",
    "service_time_ms", "service_time_cv", "queue_limit", "memory", "startup_s", "warmup",
    "autoscaler", "cache", "slo", "parallel_calls", "dependencies",
)  # fmt: skip
_DEPENDENCY_KEYS = (
    "service", "calls_per_request", "timeout_ms", "retries", "retry_budget", "backoff",
    "circuit_breaker", "adaptive_throttling", "max_connections", "cancel_on_timeout", "required",
)  # fmt: skip


class TopologyError(DocumentError):
    """A topology that cannot be used; says every problem with file, path and expectation."""


def load_topology(path: str | Path) -> Topology:
    """Load a topology file.

    Raises
    ------
    TopologyError
        If it cannot be read or used.
    """
    return parse_topology(read(path, TopologyError), source=str(path))


def parse_topology(document: str | Mapping[str, Any], source: str = "topology") -> Topology:
    """Parse a topology document, text or plain values; `source` names it in errors.

    Raises
    ------
    TopologyError
        If it cannot be used.
    """
    if isinstance(document, str):
        document = parse(document, source, TopologyError)
    checker = Checker(source)
    spec = _topology(checker, document)
    checker.raise_problems(TopologyError)
    try:
        return resolve(spec)
    except UnboundedLoadError as error:
        raise TopologyError([f"{source}: services: {error}"]) from error


def _topology(checker: Checker, document: Any) -> TopologySpec:
    stated = checker.mapping(document, "", _TOPOLOGY_KEYS) or {}
    name = stated.get("name", "unnamed")
    if not isinstance(name, str) or not name:
        checker.problem("name", f"expected text, got {shown(name)}")
        name = "unnamed"
    listed = stated.get("services")
    services = [
        _service(checker, value, path)
        for path, value in checker.sequence(listed, "services")
        if stated
    ]
    if stated and isinstance(listed, list) and not 0 < len(listed) <= MAX_SERVICES:
        checker.problem("services", f"expected 1 to {MAX_SERVICES} services, got {len(listed)}")
    _check_references(checker, services)
    return TopologySpec(name, tuple(services))


def _check_references(checker: Checker, services: list[ServiceSpec]) -> None:
    first: dict[str, int] = {}
    for i, service in enumerate(services):
        if service.name and service.name in first:
            checker.problem(
                f"services[{i}].name",
                f"expected a unique name, {service.name!r} is services[{first[service.name]}] too",
            )
        first.setdefault(service.name, i)
    for i, service in enumerate(services):
        called: set[str] = set()
        for j, call in enumerate(service.dependencies):
            path = f"services[{i}].dependencies[{j}]"
            if call.service and call.service not in first:
                # Looking for a near name is slow, and nobody reads the thousandth problem.
                few = len(checker.problems) < MAX_PROBLEMS
                hint = suggestion(call.service, first) if few else ""
                checker.problem(
                    path, f"expected a service of this file, got {call.service!r}{hint}"
                )
            elif call.service in called:
                checker.problem(path, f"expected each service once, {call.service!r} is repeated")
            called.add(call.service)


def _service(checker: Checker, value: Any, path: str) -> ServiceSpec:
    stated = checker.mapping(value, path, _SERVICE_KEYS) or {}

    def number(key: str, **bounds: float) -> float | None:
        return checker.number(stated.get(key), inside(path, key), **bounds)

    def whole(key: str, least: int, most: int) -> int | None:
        return checker.whole(stated.get(key), inside(path, key), least=least, most=most)

    name = stated.get("name")
    if not (isinstance(name, str) and _DNS_LABEL.fullmatch(name)):
        if isinstance(value, Mapping):
            checker.problem(
                inside(path, "name"),
                "expected a DNS label (lower-case letters, digits and hyphens, at most 63), "
                f"got {shown(name)}",
            )
        name = ""
    kind = checker.choice(stated.get("kind", "service"), inside(path, "kind"), KINDS)
    return ServiceSpec(
        name=name,
        kind=kind or "service",
        ingress_rps=number("ingress_rps", least=0.0, most=1e7),
        replicas=whole("replicas", 1, MAX_REPLICAS),
        workers=whole("workers", 1, 1_000_000),
        cores=number("cores", above=0.0, most=100_000.0),
        max_in_flight=whole("max_in_flight", 1, 10_000_000),
        service_time_ms=number("service_time_ms", above=0.0, most=3_600_000.0),
        service_time_cv=number("service_time_cv", least=0.0, most=10.0),
        queue_limit=whole("queue_limit", 0, 1_000_000_000),
        memory=nested.memory(checker, stated.get("memory"), inside(path, "memory")),
        startup_s=number("startup_s", least=0.0, most=3600.0),
        warmup=nested.warmup(checker, stated.get("warmup"), inside(path, "warmup")),
        autoscaler=nested.autoscaler(checker, stated.get("autoscaler"), inside(path, "autoscaler")),
        cache=nested.cache(checker, stated.get("cache"), inside(path, "cache")),
        slo=nested.slo(checker, stated.get("slo"), inside(path, "slo")),
        parallel_calls=checker.flag(
            stated.get("parallel_calls"), inside(path, "parallel_calls"), default=False
        ),
        dependencies=tuple(
            _dependency(checker, item, where)
            for where, item in checker.sequence(
                [] if stated.get("dependencies") is None else stated["dependencies"],
                inside(path, "dependencies"),
            )
        ),
    )


def _dependency(checker: Checker, value: Any, path: str) -> DependencySpec:
    if isinstance(value, str):
        return DependencySpec(value)
    if not isinstance(value, Mapping):
        checker.problem(path, f"expected the name of a service or a mapping, got {shown(value)}")
        return DependencySpec("")
    stated = checker.mapping(value, path, _DEPENDENCY_KEYS) or {}
    service = stated.get("service")
    if not isinstance(service, str) or not service:
        where = inside(path, "service")
        checker.problem(where, f"expected the name of a service, got {shown(service)}")
        service = ""

    def number(key: str, **bounds: float) -> float | None:
        return checker.number(stated.get(key), inside(path, key), **bounds)

    return DependencySpec(
        service=service,
        calls_per_request=number("calls_per_request", above=0.0, most=1000.0),
        timeout_ms=number("timeout_ms", above=0.0, most=3_600_000.0),
        retries=checker.whole(
            stated.get("retries"), inside(path, "retries"), least=0, most=MAX_RETRIES
        ),
        retry_budget=number("retry_budget", least=0.0, most=100.0),
        backoff=nested.backoff(checker, stated.get("backoff"), inside(path, "backoff")),
        circuit_breaker=nested.circuit_breaker(
            checker, stated.get("circuit_breaker"), inside(path, "circuit_breaker")
        ),
        adaptive_throttling=checker.flag(
            stated.get("adaptive_throttling"), inside(path, "adaptive_throttling"), default=False
        ),
        max_connections=checker.whole(
            stated.get("max_connections"), inside(path, "max_connections"), least=1, most=10_000_000
        ),
        cancel_on_timeout=checker.flag(
            stated.get("cancel_on_timeout"), inside(path, "cancel_on_timeout"), default=False
        ),
        required=checker.flag(stated.get("required"), inside(path, "required"), default=True),
    )
