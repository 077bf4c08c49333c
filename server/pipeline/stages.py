"""Watches one run: from snapshots to incidents, alarms, budgets, and what happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from server.pipeline import text as words
from server.pipeline.alarms import AlarmWatch
from server.pipeline.budgets import SloView, SloWatch
from server.pipeline.incidents import JoinedIncidents
from server.pipeline.snapshot import Run, Snapshot, Status
from server.pipeline.state import FrameClock, ServiceIncidents, Standing
from server.records.events import EventKind, Happening, StatusChange
from server.records.findings import Alarm, Incident, IncidentState, SloAlert
from telemetry.graph import IntArray


@dataclass(frozen=True, slots=True)
class SloSettings:
    """How budgets are watched; see `server.pipeline.budgets.SloWatch`."""

    scale: float = 1.0 / 60.0
    least_rps: float = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class Watched:
    """What was found with one snapshot; nothing in it is ever changed.

    Attributes
    ----------
    run, clock
        Run that it is of; from numbers of frames to times.
    standing, slos
        How incidents and budgets stand.
    began, ended
        Services whose incidents were recognised, and are over, with this snapshot.
    foretold
        Of those that began, the alarms that foretold them.
    incidents, alarms
        Those that changed with this snapshot.
    raised, raised_at
        Alarms that were raised with this snapshot, and the indices of their services.
    happenings
        What is worth an event, in the order of the chain from warning to damage.
    """

    run: Run
    clock: FrameClock
    standing: Standing
    slos: SloView
    began: IntArray
    ended: IntArray
    foretold: dict[int, Alarm]
    incidents: tuple[Incident, ...]
    alarms: tuple[Alarm, ...]
    raised: tuple[Alarm, ...]
    raised_at: IntArray
    happenings: tuple[Happening, ...]


class Watcher:
    """Takes every snapshot of one run, in order, from the first one on."""

    def __init__(self, first: Snapshot, settings: SloSettings) -> None:
        run, interval_s = first.run, first.frame.interval_s
        self._run = run
        self._clock = FrameClock(first.time, interval_s)
        self._services = ServiceIncidents(run.graph)
        self._joined = JoinedIncidents(run.graph, self._clock, run.id)
        self._alarms = AlarmWatch(run.graph, self._clock, run.id)
        self._slos = SloWatch(
            run.graph, interval_s, scale=settings.scale, least_rps=settings.least_rps
        )
        self._statuses: tuple[Status, ...] = (Status.HEALTHY,) * run.graph.services
        self._known: set[str] = set()

    def update(self, taken: Snapshot) -> Watched:
        """Take the next snapshot."""
        began, ended = self._services.update(taken.frame)
        standing = self._services.standing
        raised, decided = self._alarms.update(taken.forecast, standing, began)
        incidents = self._joined.update(standing, began, ended, self._alarms.foretold)
        index = self._run.graph.index
        slos, alerts = self._slos.update(taken.frame, taken.end_time)
        happenings = [
            *self._of_statuses(taken),
            *self._of_alarms(raised, decided, taken),
            *self._of_alerts(alerts, taken),
            *self._of_incidents(incidents, frozenset(began.tolist()), taken),
        ]
        return Watched(
            run=self._run,
            clock=self._clock,
            standing=standing,
            slos=slos,
            began=began,
            ended=ended,
            foretold=self._alarms.foretold,
            incidents=tuple(incidents),
            alarms=(*raised, *decided),
            raised=tuple(raised),
            raised_at=np.array([index[alarm.service] for alarm in raised], dtype=np.intp),
            happenings=tuple(happenings),
        )

    def open_incidents(self) -> list[Incident]:
        """Incidents that go on, as they are now."""
        return self._joined.open(self._services.standing)

    def pending_alarms(self) -> list[Alarm]:
        """Alarms that are raised, or whose outcome is not known yet."""
        return self._alarms.pending()

    def close(self) -> tuple[list[Incident], list[Alarm]]:
        """End the run: close what is open."""
        return self._joined.close(self._services.standing), self._alarms.close()

    def _of_statuses(self, taken: Snapshot) -> Iterator[Happening]:
        before, self._statuses = self._statuses, taken.statuses
        if before == taken.statuses:
            return
        for name, old, new in zip(taken.run.graph.names, before, taken.statuses, strict=True):
            if old is not new:
                yield Happening(
                    EventKind.STATUS_CHANGED,
                    taken.end_time,
                    (name,),
                    f"{name} is {new.name.lower()}, after it was {old.name.lower()}",
                    StatusChange(old, new),
                )

    def _of_alarms(
        self, raised: list[Alarm], decided: list[Alarm], taken: Snapshot
    ) -> Iterator[Happening]:
        for kind, alarms in ((EventKind.ALARM_RAISED, raised), (EventKind.ALARM_ENDED, decided)):
            for alarm in alarms:
                yield Happening(
                    kind, taken.end_time, (alarm.service,), words.of_alarm(alarm), alarm
                )

    def _of_alerts(self, alerts: list[SloAlert], taken: Snapshot) -> Iterator[Happening]:
        for alert in alerts:
            kind = EventKind.SLO_ALERT_FIRED if alert.firing else EventKind.SLO_ALERT_CLEARED
            yield Happening(kind, taken.end_time, (alert.service,), words.of_alert(alert), alert)

    def _of_incidents(
        self, incidents: list[Incident], began: frozenset[int], taken: Snapshot
    ) -> Iterator[Happening]:
        index = taken.run.graph.index
        for incident in incidents:
            known = incident.id in self._known
            if incident.state is IncidentState.CLOSED:
                self._known.discard(incident.id)
                kind = EventKind.INCIDENT_CLOSED
            elif not known:
                self._known.add(incident.id)
                kind = EventKind.INCIDENT_OPENED
            elif any(index[name] in began for name in incident.names):
                kind = EventKind.INCIDENT_SPREAD
            else:
                continue  # one of its services recovered, others did not
            # Who broke before was told before; a large incident is not told whole each time.
            services = tuple(one for one in incident.services if index[one.service] in began)
            text = words.of_incident(incident, kind is EventKind.INCIDENT_SPREAD)
            told = replace(incident, services=services)
            names = incident.names if kind is EventKind.INCIDENT_CLOSED else told.names
            yield Happening(kind, taken.end_time, names, text, told)
