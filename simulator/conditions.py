"""What faults change: the parameters of the model that are not the topology's."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from simulator.graph import FloatArray
from simulator.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Conditions:
    """Services have shape (B, S), calls (B, C). All zero where no fault acts.

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
    leak_mb_per_s, leak_share
        Growth of memory, and the share of the replicas that it happens on.
    extra_load
        Load from outside is multiplied by 1 + this.
    flood_rps
        Requests from outside that belong to no caller.
    delay_s, delay_variance_s2
        Extra network time of a call.
    loss
        Share of the calls that is lost on the way.
    """

    background_cpu: FloatArray
    extra_service: FloatArray
    error_rate: FloatArray
    killed: FloatArray
    leak_mb_per_s: FloatArray
    leak_share: FloatArray
    extra_load: FloatArray
    flood_rps: FloatArray
    delay_s: FloatArray
    delay_variance_s2: FloatArray
    loss: FloatArray


_OF_CALLS = frozenset({"delay_s", "delay_variance_s2", "loss"})


def calm(parameters: Parameters, copies: int) -> Conditions:
    """Conditions without any fault."""
    return Conditions(
        **{
            field.name: np.zeros(
                (copies, parameters.calls if field.name in _OF_CALLS else parameters.services)
            )
            for field in fields(Conditions)
        }
    )
