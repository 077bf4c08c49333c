"""Incidents of the system: incidents of services, joined along calls, and their origin.

The rule: the incident of a service joins an incident that is still open if the service calls, or
is called by, a service whose own incident is a part of it and overlaps in time with its own. If
that holds for several open incidents, the others are merged into the oldest.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np

from server.pipeline.state import NEVER, FrameClock, ServiceStates, describe
from server.records.findings import Alarm, Incident, IncidentEnd, IncidentState, ServiceIncident
from telemetry.connections import components
from telemetry.graph import IntArray, ServiceGraph
from telemetry.graph_change import GraphChange

SIMULTANEOUS_FRAMES = 2
"""A callee that breaks at most this much later may still be the cause for its caller."""


@dataclass(eq=False, slots=True)
class _OpenIncident:
    number: int
    open: dict[int, Alarm | None] = field(default_factory=dict)  # services, and who foretold them
    over: list[ServiceIncident] = field(default_factory=list)
    origins: dict[int, int] = field(default_factory=dict)  # services and their first onsets


class IncidentStage:
    """Joins the incidents of the services of one run."""

    def __init__(self, graph: ServiceGraph, clock: FrameClock, run_id: str) -> None:
        self._graph, self._clock, self._run_id = graph, clock, run_id
        self._numbers = itertools.count(1)
        self._incidents: dict[int, _OpenIncident] = {}
        self._part_of = np.full(graph.services, NEVER, dtype=np.intp)

    def update(
        self,
        states: ServiceStates,
        foretold: dict[int, Alarm],
    ) -> list[Incident]:
        """Process what began and ended with a frame; return the incidents that changed, by number.

        `foretold` has the alarms that foretold those that began, by service.
        """
        changed: set[int] = set()
        changed_records: list[Incident] = []
        if len(states.began):
            for services, numbers in self._components(states, states.began):
                changed.add(self._join(services, numbers, states, foretold, changed_records))
        for service in states.ended.tolist():
            incident = self._incidents[int(self._part_of[service])]
            incident.over.append(self._describe(states, service, incident.open.pop(service)))
            changed.add(incident.number)
        for number in sorted(changed):
            if number in self._incidents:
                changed_records.append(self._record(self._incidents[number], states))
                if not self._incidents[number].open:
                    del self._incidents[number]
        return sorted(changed_records, key=lambda incident: incident.number)

    def open(self, states: ServiceStates) -> list[Incident]:
        """Describe the open incidents, by number."""
        return [self._record(incident, states) for _, incident in sorted(self._incidents.items())]

    def close(self, states: ServiceStates) -> list[Incident]:
        """End the run: close the open incidents."""
        end = self._clock.start_of(states.frames)
        return [
            replace(incident, state=IncidentState.CLOSED, closed_by=IncidentEnd.RUN_ENDED, end=end)
            for incident in self.open(states)
        ]

    def change_graph(self, change: GraphChange, states: ServiceStates) -> list[Incident]:
        """Change the graph; `states` are those of the previous graph.

        Returns
        -------
        The incidents that ended because their last service was removed.
        """
        now, closed = self._clock.start_of(states.frames), []
        for incident in list(self._incidents.values()):
            origins = {s: onset for s, onset in incident.origins.items() if s in change.place}
            removed = [service for service in incident.open if service in change.removed]
            for service in removed:
                found = self._describe(states, service, incident.open.pop(service))
                incident.over.append(replace(found, end=now))
            if removed and not incident.open:
                del self._incidents[incident.number]
                over = self._record(incident, states)
                closed.append(replace(over, closed_by=IncidentEnd.SERVICE_REMOVED))
            incident.open = {change.place[service]: by for service, by in incident.open.items()}
            incident.origins = {change.place[service]: onset for service, onset in origins.items()}
        self._part_of = change.of_services(self._part_of, NEVER)
        self._graph = change.after
        return closed

    def _components(
        self, states: ServiceStates, began: IntArray
    ) -> list[tuple[list[int], list[int]]]:
        """Group the services that broke with the open incidents that they belong to."""
        graph, size = self._graph, self._graph.services
        new = np.zeros(size, dtype=np.bool_)
        new[began] = True
        ends = np.stack([graph.caller, graph.callee])
        pairs = np.concatenate([ends, ends[::-1]], axis=1)
        pairs = pairs[:, new[pairs[0]]]
        one, other = pairs
        overlaps = new[other] | states.open[other] | (states.end[other] > states.onset[one])
        one, other = one[overlaps], other[overlaps]
        numbers = np.array(sorted(self._incidents), dtype=np.intp)
        # An incident that is open is a node of its own, behind the services.
        place = size + np.searchsorted(numbers, self._part_of[other])
        belongs = np.isin(self._part_of[other], numbers) & ~new[other]
        other = np.where(new[other], other, np.where(belongs, place, one))
        nodes = size + len(numbers)
        labels = components(one, other, nodes)
        order = began[np.argsort(states.onset[began], kind="stable")]
        found: dict[int, tuple[list[int], list[int]]] = {}
        for service in order.tolist():
            found.setdefault(int(labels[service]), ([], []))[0].append(service)
        for node, number in enumerate(numbers.tolist(), start=size):
            if int(labels[node]) in found:
                found[int(labels[node])][1].append(number)
        return list(found.values())

    def _join(
        self,
        services: list[int],
        numbers: list[int],
        states: ServiceStates,
        foretold: dict[int, Alarm],
        changed_records: list[Incident],
    ) -> int:
        incident = self._incidents[numbers[0]] if numbers else _OpenIncident(next(self._numbers))
        self._incidents[incident.number] = incident
        for number in numbers[1:]:
            other = self._incidents.pop(number)
            changed_records.append(
                replace(
                    self._record(other, states),
                    state=IncidentState.CLOSED,
                    closed_by=IncidentEnd.MERGED,
                    end=self._clock.end_of(states.frames - 1),
                    merged_into=self._id(incident.number),
                )
            )
            self._part_of[self._part_of == number] = incident.number
            incident.open.update(other.open)
            incident.over.extend(other.over)
            incident.origins = {**other.origins, **incident.origins}
        for service in services:
            self._part_of[service] = incident.number
            incident.open[service] = foretold.get(service)
            incident.origins.setdefault(service, int(states.onset[service]))
        return incident.number

    def _record(self, incident: _OpenIncident, states: ServiceStates) -> Incident:
        now = [self._describe(states, service, by) for service, by in incident.open.items()]
        index, last = self._graph.index, self._graph.services
        services = tuple(
            sorted(
                [*incident.over, *now], key=lambda one: (one.onset, index.get(one.service, last))
            )
        )
        onset = services[0].onset
        # The lead of the whole is that of the first alarm before its own onset.
        leads = [
            found.lead_s - (found.onset - onset).total_seconds()
            for found in services
            if found.lead_s is not None
        ]
        lead_s = max(leads, default=0.0)
        return Incident(
            id=self._id(incident.number),
            run_id=self._run_id,
            number=incident.number,
            state=IncidentState.OPEN if now else IncidentState.CLOSED,
            closed_by=None if now else IncidentEnd.RECOVERED,
            merged_into="",
            onset=onset,
            end=None if now else max(found.end for found in services if found.end is not None),
            origin=self._graph.names[probable_origin(self._graph, incident.origins)],
            lead_s=lead_s if lead_s >= MIN_LEAD_S else None,
            services=services,
        )

    def _describe(self, states: ServiceStates, service: int, by: Alarm | None) -> ServiceIncident:
        found = describe(states, self._graph, self._clock, service)
        return found if by is None else replace(found, alarm_id=by.id, lead_s=by.lead_s)

    def _id(self, number: int) -> str:
        return f"i-{self._run_id}-{number}"


MIN_LEAD_S = 4.0
"""An alarm less than 4 s before the onset is too late (evaluation.md, section 1)."""


def probable_origin(graph: ServiceGraph, onsets: dict[int, int]) -> int:
    """Service that an incident probably came from, of those affected and their first onsets.

    Failures spread from callee to caller. So it is the first to break of those that no affected
    callee explains: none that broke before them, or at most 4 s after. If all explain each other,
    in a cycle, it is the first to break.
    """
    affected = np.fromiter(onsets.keys(), dtype=np.intp, count=len(onsets))
    onset = np.full(graph.services, np.iinfo(np.intp).max)
    onset[affected] = np.fromiter(onsets.values(), dtype=np.intp, count=len(onsets))
    known = np.zeros(graph.services, dtype=np.bool_)
    known[affected] = True
    inside = known[graph.caller] & known[graph.callee] & (graph.caller != graph.callee)
    caller, callee = graph.caller[inside], graph.callee[inside]
    explained = np.zeros(graph.services, dtype=np.bool_)
    explained[caller[onset[callee] <= onset[caller] + SIMULTANEOUS_FRAMES]] = True
    candidates = affected[~explained[affected]]
    candidates = candidates if len(candidates) else affected
    callers = np.bincount(callee, minlength=graph.services)
    order = np.lexsort((candidates, -callers[candidates], onset[candidates]))
    return int(candidates[order[0]])
