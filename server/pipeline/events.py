"""The last stage: events, from the findings of the other stages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from server.pipeline import text
from server.records.events import Event, EventKind, StatusChange, TopologyChange
from server.records.findings import Alarm, Incident, IncidentState, SloAlert, Status
from telemetry.graph import ServiceGraph
from telemetry.graph_change import NEW, GraphChange


@dataclass(frozen=True, slots=True)
class FrameChanges:
    """Changes that came with one frame.

    Attributes
    ----------
    time
        End of the frame, when the changes are known.
    statuses
        Status of each service.
    began
        Indices of services whose incidents were recognised.
    raised, decided
        Alarms that were raised, and those whose outcome is now known.
    alerts, incidents
        Alerts and incidents that changed.
    """

    time: datetime
    statuses: tuple[Status, ...]
    began: frozenset[int]
    raised: tuple[Alarm, ...]
    decided: tuple[Alarm, ...]
    alerts: tuple[SloAlert, ...]
    incidents: tuple[Incident, ...]


class EventStage:
    """Makes the events of one run, in causal order: from warning to damage."""

    def __init__(self, graph: ServiceGraph) -> None:
        self._graph = graph
        self._statuses: tuple[Status | None, ...] = (None,) * graph.services
        self._known: set[str] = set()

    def update(self, changes: FrameChanges) -> tuple[Event, ...]:
        """Make the events of a frame."""
        return (
            *self._of_statuses(changes),
            *of_alarms(EventKind.ALARM_RAISED, changes.raised, changes.time),
            *of_alarms(EventKind.ALARM_ENDED, changes.decided, changes.time),
            *_of_alerts(changes),
            *self._of_incidents(changes),
        )

    def change_graph(
        self, change: GraphChange, time: datetime, closed: Iterable[Incident]
    ) -> Event:
        """Change the graph; `closed` are the incidents that end with it."""
        self._known -= {incident.id for incident in closed}
        before = (*self._statuses, None)  # the last one is for what is new
        self._statuses = tuple(before[place] for place in change.services.tolist())
        self._graph = change.after
        names = change.after.names
        added = tuple(names[i] for i, place in enumerate(change.services.tolist()) if place == NEW)
        removed = tuple(change.before.names[i] for i in sorted(change.removed))
        detail = TopologyChange(added, removed)
        return Event(
            EventKind.TOPOLOGY_CHANGED, time, (*added, *removed), text.of_topology(detail), detail
        )

    def _of_statuses(self, changes: FrameChanges) -> Iterator[Event]:
        before, self._statuses = self._statuses, changes.statuses
        if before == changes.statuses:
            return
        for name, old, new in zip(self._graph.names, before, changes.statuses, strict=True):
            # Until it is seen, a service counts as healthy.
            was = old or (Status.UNKNOWN if new is Status.UNKNOWN else Status.HEALTHY)
            if was is not new:
                change = StatusChange(was, new)
                sentence = text.of_status(name, change)
                yield Event(EventKind.STATUS_CHANGED, changes.time, (name,), sentence, change)

    def _of_incidents(self, changes: FrameChanges) -> Iterator[Event]:
        index = self._graph.index
        for incident in changes.incidents:
            known = incident.id in self._known
            if incident.state is IncidentState.CLOSED:
                self._known.discard(incident.id)
                kind = EventKind.INCIDENT_CLOSED
            elif not known:
                self._known.add(incident.id)
                kind = EventKind.INCIDENT_OPENED
            elif any(index.get(name) in changes.began for name in incident.names):
                kind = EventKind.INCIDENT_SPREAD
            else:
                continue  # one of its services recovered, others did not
            # Services that broke earlier were in earlier events: a large incident is not repeated.
            services = tuple(
                one for one in incident.services if index.get(one.service) in changes.began
            )
            update = replace(incident, services=services)
            names = incident.names if kind is EventKind.INCIDENT_CLOSED else update.names
            sentence = text.of_incident(incident, kind is EventKind.INCIDENT_SPREAD)
            yield Event(kind, changes.time, names, sentence, update)


def of_alarms(kind: EventKind, alarms: Iterable[Alarm], time: datetime) -> Iterator[Event]:
    """Make the events of some alarms."""
    for alarm in alarms:
        yield Event(kind, time, (alarm.service,), text.of_alarm(alarm), alarm)


def of_closed(incidents: Iterable[Incident], time: datetime) -> Iterator[Event]:
    """Make the events of incidents that were closed early."""
    for incident in incidents:
        sentence = text.of_incident(incident, spreads=False)
        yield Event(EventKind.INCIDENT_CLOSED, time, incident.names, sentence, incident)


def _of_alerts(changes: FrameChanges) -> Iterator[Event]:
    for alert in changes.alerts:
        kind = EventKind.SLO_ALERT_FIRED if alert.firing else EventKind.SLO_ALERT_CLEARED
        yield Event(kind, changes.time, (alert.service,), text.of_alert(alert), alert)
