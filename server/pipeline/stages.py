"""The pipeline of one run: stage by stage from a frame to a snapshot and its findings.

Each finding is computed by one stage, from the frame and the findings of earlier stages. A
further stage (alert rules, say) is one more attribute and one more line of `Pipeline.update`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ml.definitions.breach import breached
from ml.serving.anomalies import AnomalyDetector
from ml.serving.predictor import Predictor
from server.pipeline.alarms import AlarmStage
from server.pipeline.budgets import Budgets, BudgetStage, SloSettings
from server.pipeline.clock import Clock
from server.pipeline.events import EventStage, FrameChanges, of_alarms, of_closed
from server.pipeline.forecast import ForecastStage
from server.pipeline.incidents import IncidentStage
from server.pipeline.past import PastFrame
from server.pipeline.snapshot import Run, Snapshot
from server.pipeline.state import FrameClock, ServiceStates, StateStage, statuses
from server.records.events import Event, EventKind
from server.records.experiments import InjectedFault
from server.records.findings import Alarm, Incident
from telemetry.frame import Frame
from telemetry.graph import FloatArray, IntArray, ServiceGraph
from telemetry.graph_change import GraphChange

PAST_FRAMES = 60
"""What is normal after a change of the graph is learned from the latest frames, so many of them."""


@dataclass(frozen=True, eq=False, slots=True)
class Findings:
    """Findings of one snapshot; immutable.

    Attributes
    ----------
    run, graph, clock
        Run that it is of; the system; from numbers of frames to times.
    states, budgets
        States of the services and of their error budgets.
    foretold
        The alarms that foretold the incidents that began, by service.
    incidents, alarms
        Incidents and alarms that changed with this snapshot.
    raised, raised_at
        Alarms that were raised with this snapshot, and the indices of their services.
    events
        Events, in causal order: from warning to damage.
    """

    run: Run
    graph: ServiceGraph
    clock: FrameClock
    states: ServiceStates
    budgets: Budgets
    foretold: dict[int, Alarm]
    incidents: tuple[Incident, ...]
    alarms: tuple[Alarm, ...]
    raised: tuple[Alarm, ...]
    raised_at: IntArray
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """What ends early: with the run, or because a service was removed."""

    incidents: tuple[Incident, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    events: tuple[Event, ...] = ()


class Pipeline:
    """Processes the frames of one run, the past included.

    Parameters
    ----------
    run, graph
        The run, and the system that it observes.
    interval_s
        Length of a frame, seconds.
    predictor
        The model.
    slos
        Settings of error budgets.
    """

    def __init__(
        self,
        run: Run,
        graph: ServiceGraph,
        interval_s: float,
        predictor: Predictor,
        slos: SloSettings,
    ) -> None:
        self.run, self.graph = run, graph
        self._graph_since = 0
        self._clock = FrameClock(run.start_time, interval_s)
        self._states = StateStage(graph)
        self._forecast = ForecastStage(graph, predictor, interval_s)
        self._anomalies = AnomalyDetector(graph)
        self._alarms = AlarmStage(graph, self._clock, run.id)
        self._incidents = IncidentStage(graph, self._clock, run.id)
        self._budgets = BudgetStage(graph, interval_s, scale=slos.scale, min_rps=slos.min_rps)
        self._events = EventStage(graph)
        self._shown_open = np.zeros(graph.services, dtype=np.bool_)
        self._past: deque[PastFrame] = deque(maxlen=PAST_FRAMES)

    @property
    def past(self) -> tuple[PastFrame, ...]:
        """The latest frames, oldest first."""
        return tuple(self._past)

    def use(self, predictor: Predictor) -> None:
        """Predict with another model from the next frame on."""
        self._forecast.use(predictor)

    def warm_up(self, frame: Frame) -> None:
        """Process a frame of the past, to learn what is normal and which incidents are open."""
        time = self.run.at(frame.t_s)
        self._observe(frame, time)
        self._anomalies.update(frame, time)

    def update(
        self,
        frame: Frame,
        sequence: int,
        clock: Clock,
        now: datetime,
        faults: tuple[InjectedFault, ...] = (),
        kill_switch: bool = False,
    ) -> tuple[Snapshot, Findings]:
        """Process the next frame.

        Parameters
        ----------
        frame
            Observed values.
        sequence
            Number of the snapshot in its run.
        clock, faults, kill_switch
            State of the clock, active faults and kill switch at the end of the frame.
        now
            Wall clock.
        """
        time = self.run.at(frame.t_s)
        features, states = self._observe(frame, time)
        # Against the latest snapshot: neither what was open before the first one nor what a frame
        # brought that was not published is lost.
        shown = self._shown_open
        states = replace(
            states,
            began=np.flatnonzero(states.open & ~shown),
            ended=np.flatnonzero(shown & ~states.open),
        )
        forecast = self._forecast.predict(features, states)
        snapshot = Snapshot(
            run=self.run,
            graph=self.graph,
            graph_since=self._graph_since,
            sequence=sequence,
            frame=frame,
            time=time,
            produced_time=now,
            statuses=statuses(frame, states.breached),
            anomalies=tuple(self._anomalies.update(frame, time)),
            forecast=forecast,
            clock=clock,
            faults=faults,
            kill_switch=kill_switch,
        )
        end = snapshot.end_time
        raised, decided = self._alarms.update(forecast, states)
        incidents = self._incidents.update(states, self._alarms.foretold)
        budgets, alerts = self._budgets.update(frame, end)
        changes = FrameChanges(
            time=end,
            statuses=snapshot.statuses,
            began=frozenset(states.began.tolist()),
            raised=tuple(raised),
            decided=tuple(decided),
            alerts=tuple(alerts),
            incidents=tuple(incidents),
        )
        self._shown_open = states.open
        index = self.graph.index
        return snapshot, Findings(
            run=self.run,
            graph=self.graph,
            clock=self._clock,
            states=states,
            budgets=budgets,
            foretold=self._alarms.foretold,
            incidents=changes.incidents,
            alarms=(*raised, *decided),
            raised=changes.raised,
            raised_at=np.array([index[alarm.service] for alarm in raised], dtype=np.intp),
            events=self._events.update(changes),
        )

    def change_graph(self, graph: ServiceGraph, sequence: int) -> Closed:
        """Change the graph, from the snapshot with this sequence number on.

        Incidents, alarms and budgets of the remaining services continue. What is normal is learned
        anew from the latest frames, as the graph shows them now.
        """
        change = GraphChange(self.graph, graph)
        time = self._clock.start_of(self._states.states.frames)
        self._forecast.change_graph(graph, self._past_of(graph))
        incidents = tuple(self._incidents.change_graph(change, self._states.states))
        alarms = tuple(self._alarms.change_graph(change))
        self._states.change_graph(change)
        self._anomalies.change_graph(change)
        self._budgets.change_graph(change)
        changed = self._events.change_graph(change, time, incidents)
        self._shown_open = change.of_services(self._shown_open, False)
        self.graph, self._graph_since = graph, sequence
        ended = of_alarms(EventKind.ALARM_ENDED, alarms, time)
        return Closed(incidents, alarms, (changed, *ended, *of_closed(incidents, time)))

    def _observe(self, frame: Frame, time: datetime) -> tuple[FloatArray, ServiceStates]:
        """Go through the stages that a frame of the past goes through, too."""
        bad = breached(frame, self.graph)
        features = self._forecast.observe(frame, time, bad)  # refuses what does not fit
        self._past.append(PastFrame(self.graph, frame, time))
        return features, self._states.update(frame, bad)

    def _past_of(self, graph: ServiceGraph) -> Iterator[tuple[Frame, datetime]]:
        """Give the latest frames as a graph shows them."""
        changes: dict[int, GraphChange] = {}
        for past in self._past:
            change = changes.setdefault(id(past.graph), GraphChange(past.graph, graph))
            yield change.of_frame(past.frame), past.time

    def open_incidents(self) -> list[Incident]:
        """Incidents that are open, as they are now."""
        return self._incidents.open(self._states.states)

    def pending_alarms(self) -> list[Alarm]:
        """Alarms that are raised, or whose outcome is not known yet."""
        return self._alarms.pending()

    def close(self) -> Closed:
        """End the run: close what is open."""
        states = self._states.states
        incidents = tuple(self._incidents.close(states))
        events = tuple(of_closed(incidents, self._clock.end_of(states.frame)))
        return Closed(incidents, tuple(self._alarms.close()), events)
