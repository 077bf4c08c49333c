"""Topologies from files that people already have.

Each format has a module with `read(text, source) -> Imported`. What cannot be carried over is said
in a warning, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.importers import compose, isotope, kiali, tracing
from simulator.importers.imported import ForeignFileError, Imported

FORMATS: dict[str, Callable[[str, str], Imported]] = {
    "isotope": isotope.read,
    "kiali": kiali.read,
    "jaeger": tracing.read_jaeger,
    "zipkin": tracing.read_zipkin,
    "compose": compose.read,
}

__all__ = ["FORMATS", "ForeignFileError", "Imported"]
