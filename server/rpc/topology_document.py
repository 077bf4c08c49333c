"""A topology document of a client: every problem becomes a violation with the path of its field."""

from __future__ import annotations

import re

from server.errors import Violation, invalid
from simulator.topology.file import TopologyError, parse_topology
from simulator.topology.resolved import Topology

FIELD = "topology"
MAX_SERVICES, MAX_DEPENDENCIES = 10_000, 50_000

# "topology: services[0].name: expected ..."; a place in the text, such as "line 3", is no path.
_PROBLEM = re.compile(rf"{FIELD}: (?!line \d)(?P<path>\S+): (?P<expected>.*)", re.DOTALL)


def parsed(text: str) -> Topology:
    """Parse and check a document, YAML or JSON text.

    Raises
    ------
    ServerError
        INVALID_FIELD, with a violation for each problem.
    """
    try:
        topology = parse_topology(text, source=FIELD)
    except TopologyError as error:
        raise invalid(_violation(problem) for problem in error.problems) from error
    services, dependencies = len(topology.services), topology.graph().edges
    if services > MAX_SERVICES or dependencies > MAX_DEPENDENCIES:
        expected = (
            f"expected at most {MAX_SERVICES:,} services and {MAX_DEPENDENCIES:,} dependencies, "
            f"got {services:,} and {dependencies:,}"
        )
        raise invalid([Violation(FIELD, expected)])
    return topology


def _violation(problem: str) -> Violation:
    found = _PROBLEM.fullmatch(problem)
    if found:
        return Violation(f"{FIELD}.{found['path']}", found["expected"])
    return Violation(FIELD, problem.removeprefix(f"{FIELD}: "))
