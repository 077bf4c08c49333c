"""Asks for the records: rarely while nothing happens, at once after an event that changes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from dashboard.source.state import Records
from sre_edge import Client, NotFound, SreEdgeError
from sre_edge.v1 import event_pb2, training_pb2

COUNT = 100
EVERY_S = {
    "incidents": 10.0, "experiments": 5.0, "alarms": 10.0, "slos": 4.0, "models": 15.0,
    "training": 2.0, "info": 2.0,
}  # fmt: skip
"""Seconds after which a list is asked for anyway."""

_OUTDATED_BY: dict[event_pb2.EventKind.ValueType, tuple[str, ...]] = {
    event_pb2.EVENT_KIND_FAULT_STARTED: ("experiments",),
    event_pb2.EVENT_KIND_FAULT_ENDED: ("experiments",),
    event_pb2.EVENT_KIND_FAULT_STOPPED: ("experiments",),
    event_pb2.EVENT_KIND_ALARM_RAISED: ("alarms", "experiments"),
    event_pb2.EVENT_KIND_ALARM_ENDED: ("alarms",),
    event_pb2.EVENT_KIND_SLO_ALERT_FIRED: ("slos",),
    event_pb2.EVENT_KIND_SLO_ALERT_CLEARED: ("slos",),
    event_pb2.EVENT_KIND_INCIDENT_OPENED: ("incidents", "experiments"),
    event_pb2.EVENT_KIND_INCIDENT_SPREAD: ("incidents", "experiments"),
    event_pb2.EVENT_KIND_INCIDENT_CLOSED: ("incidents", "experiments"),
    event_pb2.EVENT_KIND_MODEL_ACTIVATED: ("models", "training"),
    event_pb2.EVENT_KIND_RUN_STARTED: tuple(EVERY_S),
}


class RecordCache:
    """Keeps `Records` as new as they need to be."""

    def __init__(self, client: Client) -> None:
        self._asks: dict[str, Callable[[], Any]] = {
            "incidents": lambda: client.incidents(count=COUNT),
            "experiments": lambda: client.experiments(COUNT),
            "alarms": lambda: client.alarms(count=COUNT),
            "slos": client.slos,
            "models": client.models,
            "training": lambda: _latest_training(client),
            "info": client.info,
        }
        self._due = dict.fromkeys(self._asks, 0.0)
        self._lock = threading.Lock()

    def outdated(self, kind: event_pb2.EventKind.ValueType) -> bool:
        """Take note of an event; says whether a list has to be asked for."""
        names = _OUTDATED_BY.get(kind, ())
        self.invalidate(*names)
        return bool(names)

    def invalidate(self, *names: str) -> None:
        """Have lists asked for next time; none means all."""
        with self._lock:
            self._due.update(dict.fromkeys(names or self._asks, 0.0))

    def refreshed(self, records: Records) -> Records:
        """Ask for what is due; a list that cannot be had stays as it is, with the reason."""
        now = time.monotonic()
        with self._lock:
            due = [name for name, when in self._due.items() if when <= now]
            self._due.update({name: now + EVERY_S[name] for name in due})
        found: dict[str, Any] = {}
        problems = dict(records.problems)
        for name in due:
            try:
                found[name] = self._asks[name]()
                problems.pop(name, None)
            except SreEdgeError as error:
                problems[name] = str(error)
        return replace(records, **found, problems=MappingProxyType(problems)) if due else records


def _latest_training(client: Client) -> Sequence[training_pb2.Training]:
    try:
        return [client.training()]
    except NotFound:
        return []
