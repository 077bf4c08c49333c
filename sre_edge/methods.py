"""The methods that both clients have: those of all calls, as each client carries them out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from sre_edge.calls.chaos import ChaosMethods
from sre_edge.calls.descriptors import Call, Follow, Subscribe
from sre_edge.calls.incident import IncidentMethods
from sre_edge.calls.prediction import PredictionMethods
from sre_edge.calls.simulation import SimulationMethods
from sre_edge.calls.stream import StreamMethods
from sre_edge.calls.system import SystemMethods


class Methods(
    SimulationMethods,
    ChaosMethods,
    PredictionMethods,
    IncidentMethods,
    SystemMethods,
    StreamMethods,
):
    """Makes the methods of a client.

    Parameters
    ----------
    call, follow, subscribe
        How this client carries out a description of each kind: functions that make a method of it.
    """

    def __init_subclass__(
        cls,
        *,
        call: Callable[[Any], Callable[..., Any]],
        follow: Callable[[Any], Callable[..., Any]],
        subscribe: Callable[[Any], Callable[..., Any]],
    ) -> None:
        make = {Call: call, Follow: follow, Subscribe: subscribe}
        for name, listed in inspect.getmembers_static(Methods):
            if isinstance(listed, Call | Follow | Subscribe):
                setattr(cls, name, make[type(listed)](listed.describe))
