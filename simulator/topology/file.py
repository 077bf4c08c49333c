"""Load a topology file (YAML or JSON), check it, and resolve its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.topology.resolved import Topology
from simulator.topology.sizing import UnboundedLoadError, resolve
from telemetry.document import read
from telemetry.topology.reading import TopologyError, parse_specification

__all__ = ["TopologyError", "load_topology", "parse_topology"]


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
    try:
        return resolve(parse_specification(document, source))
    except UnboundedLoadError as error:
        raise TopologyError([f"{source}: services: {error}"]) from error
