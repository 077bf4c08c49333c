"""How far a failure of one service would spread as things are now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ml.artefact import ArtefactError
from ml.features import NAMES
from ml.reach import reach
from simulator.graph import FloatArray, ServiceGraph

EDGE_INPUTS = (
    "required",
    "calls",
    "retries",
    "patience",
    "caller_strain",
    "caller_cpu",
    "callee_strain",
    "callee_availability",
)
"""Of a call: required; logarithm of calls per request; retries; logarithm of the timeout over the
caller's latency objective; mean strain of 10 s and CPU of the caller, strain and availability of
the callee, as shares."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Probability that a failing callee brings its caller into an incident, call by call.

    Attributes
    ----------
    weights, intercept
        Of a logistic regression on `EDGE_INPUTS`.
    """

    weights: FloatArray
    intercept: float

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it from a model directory.

        Raises
        ------
        ArtefactError
            If it is of another version.
        """
        try:
            stated: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            weights = np.array([float(stated["weights"][name]) for name in EDGE_INPUTS])
            return cls(weights, float(stated["intercept"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ArtefactError(path, f"expected the spread of failures: {error!r}") from error

    def along_edges(self, graph: ServiceGraph, features: NDArray[Any]) -> FloatArray:
        """Probability for each edge, (..., S, F) -> (..., E)."""
        logit = edge_inputs(graph, features) @ self.weights + self.intercept
        probability: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0)))
        return probability

    def risk(self, graph: ServiceGraph, features: NDArray[Any]) -> FloatArray:
        """Probability that a failure of each service reaches an entry, (S, F) -> (S,)."""
        return reach(graph, self.along_edges(graph, features))


def edge_inputs(graph: ServiceGraph, features: NDArray[Any]) -> FloatArray:
    """Give `EDGE_INPUTS` for each edge, (..., S, F) -> (..., E, K); what is not known is usual."""

    def column(name: str, services: NDArray[np.intp], missing: float) -> FloatArray:
        values = features[..., services, NAMES.index(name)].astype(np.float64)
        return np.where(np.isnan(values), missing, values)

    caller, callee = graph.caller, graph.callee
    with np.errstate(divide="ignore", invalid="ignore"):
        patience = np.log(graph.timeout_ms / graph.slo_latency_ms[caller])
        calls = np.log(graph.calls_per_request)
    now = [
        column("strain_mean_10s", caller, 0.3),
        column("cpu_percent", caller, 40.0) / 100.0,
        column("strain_mean_10s", callee, 0.3),
        column("availability_percent", callee, 100.0) / 100.0,
    ]
    static = [
        graph.required.astype(np.float64),
        np.clip(np.nan_to_num(calls), -3.0, 2.0),
        np.nan_to_num(graph.retries),
        np.clip(np.nan_to_num(patience), -3.0, 3.0),
    ]
    shape = now[0].shape
    return np.stack([*(np.broadcast_to(values, shape) for values in static), *now], axis=-1)
