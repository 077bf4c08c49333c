"""What faults change: the parameters of the model that are not the topology's."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from simulator.dynamics.parameters import Parameters
from telemetry.graph import FloatArray


@dataclass(frozen=True, eq=False)
class Conditions:
    """Arrays of services have shape (S, B). All zero where no fault acts.

    Attributes
    ----------
    background_cpu
        CPU demand of others over the CPU limit.
    extra_service
        Own service time is multiplied by 1 + this.
    error_rate
        Share of the answers that are errors, beyond the usual ones.
    killed
        Share of the replicas that is held down.
    leak_per_s, leak_share
        Growth of memory over its limit, and the share of the replicas that it happens on.
    extra_load
        Load from outside is multiplied by 1 + this.
    flood_rps
        Requests from outside that belong to no caller.
    delay_s, delay_variance_s2
        Extra network time of every call to the service.
    loss
        Share of the calls to the service that is lost on the way.
    edge_loss
        (X, B) share of the calls along single edges that is lost on top; the edges are
        `Routes.alone`.
    acting
        Names of those that are not zero everywhere.
    """

    background_cpu: FloatArray
    extra_service: FloatArray
    error_rate: FloatArray
    killed: FloatArray
    leak_per_s: FloatArray
    leak_share: FloatArray
    extra_load: FloatArray
    flood_rps: FloatArray
    delay_s: FloatArray
    delay_variance_s2: FloatArray
    loss: FloatArray
    edge_loss: FloatArray
    acting: frozenset[str]

    def acts(self, *names: str) -> bool:
        """Whether any of these differs from zero anywhere."""
        return not self.acting.isdisjoint(names)


def calm(parameters: Parameters, copies: int, edges: int = 0) -> Conditions:
    """Conditions without any fault; `edges` is the number of those that have their own loss."""
    services = np.zeros((parameters.services, copies))
    shared = [field.name for field in fields(Conditions) if field.name not in _OTHERS]
    return Conditions(
        **dict.fromkeys(shared, services), edge_loss=np.zeros((edges, copies)), acting=frozenset()
    )


_OTHERS = frozenset({"edge_loss", "acting"})
