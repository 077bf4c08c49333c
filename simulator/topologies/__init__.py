"""The topologies that come with the package."""

from __future__ import annotations

from importlib.resources import files

from simulator.topology.file import parse_topology
from simulator.topology.resolved import Topology

SHIPPED = ("default", "boutique", "deep-chain", "wide-fan-out")


def document(name: str) -> str:
    """Give the YAML text of a shipped topology.

    Raises
    ------
    KeyError
        If none has this name.
    """
    if name not in SHIPPED:
        raise KeyError(f"expected one of {', '.join(SHIPPED)}, got {name!r}")
    return (files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")


def shipped(name: str) -> Topology:
    """Load a shipped topology.

    Raises
    ------
    KeyError
        If none has this name.
    """
    return parse_topology(document(name), source=f"{name}.yaml")
