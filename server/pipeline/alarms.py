"""Live alarms: when they are raised and cleared, and whether they were right."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from ml.definitions.alarms import MAX_LEAD_FRAMES, AlarmTracker
from ml.definitions.incident_types import INCIDENT_TYPES
from ml.definitions.incidents import MIN_BREACHED_FRAMES, QUIET_FRAMES, WINDOW_FRAMES
from ml.definitions.labels import MIN_LEAD_FRAMES
from server.pipeline.snapshot import Forecast
from server.pipeline.state import FrameClock, ServiceStates
from server.records.findings import Alarm, AlarmOutcome
from telemetry.graph import FloatArray, ServiceGraph
from telemetry.graph_change import GraphChange

RECOGNITION_FRAMES = max(WINDOW_FRAMES, MIN_BREACHED_FRAMES) - 1
"""Maximum number of frames from the onset of an incident to its recognition."""


class _OpenAlarm:
    """An alarm whose outcome is not yet known."""

    def __init__(self, alarm: Alarm, service: int, frame: int) -> None:
        self.alarm, self.service, self.raised = alarm, service, frame
        self.ended: int | None = None


class AlarmStage:
    """Tracks the alarms of all services of one run by the rules of `ml.definitions.alarms`.

    Live, an incident is recognised a few frames after its onset. So the outcome of an alarm that
    cleared is known a little later, and an alarm that is raised between an onset and its
    recognition, which an offline evaluation would not raise, counts neither way: it is late.
    """

    def __init__(self, graph: ServiceGraph, clock: FrameClock, run_id: str) -> None:
        self._graph, self._clock, self._run_id = graph, clock, run_id
        self._tracker: AlarmTracker | None = None
        self._raised = np.zeros(graph.services, dtype=np.bool_)
        self._open: dict[int, _OpenAlarm] = {}
        self._undecided: deque[_OpenAlarm] = deque()
        self._number = 0
        self.foretold: dict[int, Alarm] = {}

    def update(
        self, forecast: Forecast | None, states: ServiceStates
    ) -> tuple[list[Alarm], list[Alarm]]:
        """Process a forecast and the states of its frame.

        Returns
        -------
        The alarms that were raised, and those whose outcome is now known.
        """
        frame = states.frame
        if forecast is not None:
            threshold = forecast.predictor.manifest.threshold
            if self._tracker is None:
                self._tracker = AlarmTracker((self._graph.services,), threshold)
            self._tracker.threshold = threshold  # another model may have gone live
            known_quiet = (states.end >= 0) & (frame < states.end + QUIET_FRAMES)
            raised = self._tracker.update(forecast.probability, states.open | known_quiet)
        else:
            raised = self._raised
        return self._raise(raised, frame, forecast), self._decide(raised, states)

    def close(self) -> list[Alarm]:
        """End the run; return the alarms whose outcome is not yet known."""
        return [replace(one.alarm, outcome=AlarmOutcome.RUN_ENDED) for one in self._all()]

    def change_graph(self, change: GraphChange) -> list[Alarm]:
        """Change the graph; return the alarms of services that were removed."""
        removed = [one for one in self._all() if one.service in change.removed]
        self._undecided = deque(one for one in self._undecided if one.service in change.place)
        kept = [one for one in self._open.values() if one.service in change.place]
        for one in (*self._undecided, *kept):
            one.service = change.place[one.service]
        self._open = {one.service: one for one in kept}
        if self._tracker is not None:
            self._tracker.rearrange(change.of_services)
        self._raised = change.of_services(self._raised, False)
        self._graph, self.foretold = change.after, {}
        return [replace(one.alarm, outcome=AlarmOutcome.SERVICE_REMOVED) for one in removed]

    def pending(self) -> list[Alarm]:
        """Alarms that are raised, or whose outcome is not yet known, by number."""
        return sorted((one.alarm for one in self._all()), key=lambda alarm: alarm.number)

    def _all(self) -> list[_OpenAlarm]:
        return [*self._undecided, *self._open.values()]

    def _raise(self, raised: np.ndarray, frame: int, forecast: Forecast | None) -> list[Alarm]:
        if forecast is None:
            return []
        new = []
        for service in np.flatnonzero(raised & ~self._raised).tolist():
            self._number += 1
            probability = float(forecast.probability[service])
            alarm = Alarm(
                id=f"a-{self._run_id}-{self._number}",
                run_id=self._run_id,
                number=self._number,
                service=self._graph.names[service],
                raised=self._clock.end_of(frame),
                ended=None,
                probability=probability,
                highest_probability=probability,
                incident_type=_likely(forecast.types[service]),
                model_version=forecast.model_version,
                outcome=AlarmOutcome.PENDING,
                lead_s=None,
            )
            self._open[service] = _OpenAlarm(alarm, service, frame)
            new.append(alarm)
        for service, one in self._open.items():
            higher = float(forecast.probability[service])
            if raised[service] and higher > one.alarm.highest_probability:
                one.alarm = replace(one.alarm, highest_probability=higher)
        return new

    def _decide(self, raised: np.ndarray, states: ServiceStates) -> list[Alarm]:
        frame = states.frame
        for service in np.flatnonzero(self._raised & ~raised).tolist():
            ended = self._open.pop(service)
            ended.ended = frame
            ended.alarm = replace(ended.alarm, ended=self._clock.end_of(frame))
            self._undecided.append(ended)
        self._raised = raised
        decided, waiting = [], deque[_OpenAlarm]()
        onsets = {service: int(states.onset[service]) for service in states.began.tolist()}
        self.foretold = {}
        for one in self._undecided:
            alarm = self._outcome(one, onsets.get(one.service), frame)
            if alarm is None:
                waiting.append(one)
                continue
            decided.append(alarm)
            if alarm.outcome is AlarmOutcome.FORETOLD:
                self.foretold[one.service] = alarm
        self._undecided = waiting
        return decided

    def _outcome(self, one: _OpenAlarm, onset: int | None, frame: int) -> Alarm | None:
        """Determine the outcome of an alarm that has cleared; None if it is not yet known."""
        ended = one.ended
        if ended is None:
            return None
        if onset is not None and onset <= ended:
            lead = onset - one.raised - 1
            if lead < 0:
                return replace(one.alarm, outcome=AlarmOutcome.LATE)
            if MIN_LEAD_FRAMES <= lead <= MAX_LEAD_FRAMES:
                lead_s = lead * self._clock.interval_s
                return replace(one.alarm, outcome=AlarmOutcome.FORETOLD, lead_s=lead_s)
        elif onset is None and frame < ended + RECOGNITION_FRAMES:
            return None
        return replace(one.alarm, outcome=AlarmOutcome.FALSE)


def _likely(types: FloatArray) -> str:
    return "" if np.isnan(types).all() else INCIDENT_TYPES[int(np.nanargmax(types))].value
