"""Read a topology document, and check it; what it leaves to the defaults stays open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from telemetry.document import MAX_PROBLEMS, DocumentError, listed, parse, suggestion
from telemetry.keys import Checker
from telemetry.topology.specification import TopologySpec

MAX_SERVICES = 20_000


class TopologyError(DocumentError):
    """A topology that cannot be used; says every problem with file, path and expectation."""


def parse_specification(
    document: str | Mapping[str, Any], source: str = "topology"
) -> TopologySpec:
    """Parse a topology document, text or plain values; `source` names it in errors.

    Raises
    ------
    TopologyError
        If it cannot be used.
    """
    if isinstance(document, str):
        document = parse(document, source, TopologyError)
    checker = Checker(source)
    spec = checker.read(TopologySpec, document)
    _check_references(checker, document)
    if spec and not 0 < len(spec.services) <= MAX_SERVICES:
        text = f"expected 1 to {MAX_SERVICES} services, got {len(spec.services)}"
        checker.problem(("services",), text)
    return checker.passed(spec, TopologyError)


def _check_references(checker: Checker, document: Any) -> None:
    """Check names as they are stated, so that no other mistake hides one in them."""
    first: dict[str, int] = {}
    services = listed(document, "services")
    for i, name in _names(services, "name"):
        if name in first:
            text = f"expected a unique name, {name!r} is services[{first[name]}] too"
            checker.problem(("services", i, "name"), text)
        first.setdefault(name, i)
    for i, service in enumerate(services):
        called = set()
        for j, name in _names(listed(service, "dependencies"), "service"):
            place = ("services", i, "dependencies", j)
            if name not in first:
                # Looking for a near name is slow, and nobody reads the thousandth problem.
                hint = suggestion(name, first) if len(checker.problems) < MAX_PROBLEMS else ""
                checker.problem(place, f"expected a service of this file, got {name!r}{hint}")
            elif name in called:
                checker.problem(place, f"expected each service once, {name!r} is repeated")
            called.add(name)


def _names(items: Sequence[Any], key: str) -> Iterator[tuple[int, str]]:
    """Give the position and the name of each item that has one, under a key or alone."""
    for i, item in enumerate(items):
        name = item.get(key) if isinstance(item, Mapping) else item
        if isinstance(name, str):
            yield i, name
