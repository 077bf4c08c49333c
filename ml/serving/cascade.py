"""How far a failure of one service would spread in the present state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ml.features import NAMES
from ml.features.reach import reach
from ml.serving.artefact import ArtefactError
from telemetry.graph import FloatArray, ServiceGraph

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
"""Inputs per call: required; logarithm of calls per request; retries; logarithm of the timeout over
the caller's latency objective; mean strain of 10 s and CPU of the caller, strain and availability
of the callee, as shares."""

_PARTS = (4, 6)
"""Ends of the inputs of the call itself and of those of its caller; the rest are of its callee."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Probability that a failing callee brings its caller into an incident, call by call.

    Attributes
    ----------
    weights, intercept
        Coefficients of a logistic regression on `EDGE_INPUTS`.
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
        of_call, of_caller, of_callee = np.split(self.weights, _PARTS)
        logit = (_caller_inputs(features) @ of_caller).take(graph.caller, axis=-1)
        logit += (_callee_inputs(features) @ of_callee).take(graph.callee, axis=-1)
        logit += _call_inputs(graph) @ of_call + self.intercept
        probability: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0)))
        return probability

    def risk(self, graph: ServiceGraph, features: NDArray[Any]) -> FloatArray:
        """Probability that a failure of each service reaches an entry, (S, F) -> (S,)."""
        return reach(graph, self.along_edges(graph, features))


def edge_inputs(graph: ServiceGraph, features: NDArray[Any]) -> FloatArray:
    """Give `EDGE_INPUTS` for each edge, (..., S, F) -> (..., E, K); what is not known is usual."""
    callers = _caller_inputs(features)[..., graph.caller, :]
    callees = _callee_inputs(features)[..., graph.callee, :]
    calls = np.broadcast_to(_call_inputs(graph), (*callers.shape[:-1], _PARTS[0]))
    return np.concatenate([calls, callers, callees], axis=-1)


@lru_cache(maxsize=2)
def _call_inputs(graph: ServiceGraph) -> FloatArray:
    """Give what is fixed about each call, (E, 4)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        patience = np.log(graph.timeout_ms / graph.slo_latency_ms[graph.caller])
        calls = np.log(graph.calls_per_request)
    inputs = [
        graph.required.astype(np.float64),
        np.clip(np.nan_to_num(calls), -3.0, 2.0),
        np.nan_to_num(graph.retries),
        np.clip(np.nan_to_num(patience), -3.0, 3.0),
    ]
    return np.stack(inputs, axis=-1)


def _caller_inputs(features: NDArray[Any]) -> FloatArray:
    """Give what matters of each service as a caller, (..., S, F) -> (..., S, 2)."""
    strain = _known(features, "strain_mean_10s", 0.3)
    return np.stack([strain, _known(features, "cpu_percent", 40.0) / 100.0], axis=-1)


def _callee_inputs(features: NDArray[Any]) -> FloatArray:
    """Give what matters of each service as a callee, (..., S, F) -> (..., S, 2)."""
    strain = _known(features, "strain_mean_10s", 0.3)
    return np.stack([strain, _known(features, "availability_percent", 100.0) / 100.0], axis=-1)


def _known(features: NDArray[Any], name: str, missing: float) -> FloatArray:
    values = features[..., NAMES.index(name)].astype(np.float64)
    return np.where(np.isnan(values), missing, values)
