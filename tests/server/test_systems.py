"""A system keeps its findings whatever its source does: odd frames, odd graphs, ticks that fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ml.serving.predictor import Predictor
from server.errors import Reason, ServerError
from server.learning.recorder import ExperimentRecorder, RecordedExperiment
from server.ports import FaultInjector, Source, SourceError, SourceFactory
from server.records.findings import Incident, IncidentEnd
from server.sources.scripted import START, ScriptedFactory, ScriptedFrame, ScriptedSystem
from server.systems.recorder import Changes, Persistence
from server.systems.system import System
from telemetry.faults import Fault, FaultKind
from telemetry.graph import ServiceGraph
from tests.server.pipeline.frames import FAILING, NAMES, frame, graph, system

PREDICTOR = Predictor()
GRAPH = graph()
FEWER = system({"edge": ["cart"], "cart": ["store"], "store": []})
ARRAYS = {name: values for name, values in vars(GRAPH).items() if isinstance(values, np.ndarray)}
NOBODY = replace(GRAPH, names=(), kinds=(), **{name: values[:0] for name, values in ARRAYS.items()})


def of(at: ServiceGraph, number: int, failing: Sequence[str] = ()) -> ScriptedFrame:
    values = {name: FAILING for name in failing if name in at.names}
    return ScriptedFrame(at, frame(number, values, at.names, at.edges))


def script(graphs: Sequence[ServiceGraph], failing: Sequence[int] = ()) -> ScriptedFactory:
    """One frame of each graph, after a past of 60 of the first; the store fails in some."""
    shown = [graphs[0]] * 60 + list(graphs)
    bad = {60 + number for number in failing}
    frames = [of(at, n, ["store"] if n in bad else ()) for n, at in enumerate(shown)]
    return ScriptedFactory(tuple(frames), past=60)


class Kept:
    """A system whose records are kept in lists."""

    def __init__(self, factory: SourceFactory) -> None:
        self.changes: list[Changes] = []
        self.system = System(factory, PREDICTOR, persistence=Persistence(save=self.changes.append))

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.system.tick()

    @property
    def incidents(self) -> dict[str, Incident]:
        return {one.id: one for change in self.changes for one in change.incidents}

    @property
    def events(self) -> list[str]:
        return [one.kind.value for change in self.changes for one in change.events]


def test_a_graph_without_services_is_refused_and_the_next_one_goes_on() -> None:
    kept = Kept(script([GRAPH] * 10 + [NOBODY] * 3 + [FEWER] * 10, failing=range(2, 30)))
    kept.tick(9)
    for _ in range(3):
        with pytest.raises(SourceError, match="at least one service"):
            kept.tick()
    kept.tick(5)
    assert kept.system.graph is FEWER
    assert kept.system.latest.sequence == 15
    assert len(kept.incidents) == 1


def test_a_graph_that_changes_again_and_again_still_gets_predictions() -> None:
    graphs = [(GRAPH, FEWER)[n // 7 % 2] for n in range(60)]
    kept = Kept(script(graphs))
    for _ in range(55):
        kept.tick()
        assert kept.system.latest.forecast is not None
    assert kept.events.count("topology_changed") >= 7


def test_a_change_soon_after_the_start_is_learned_from_the_past_of_the_run() -> None:
    kept = Kept(script([GRAPH, GRAPH, *[FEWER] * 5]))
    kept.tick(3)
    assert kept.system.graph is FEWER
    assert kept.system.latest.forecast is not None


@pytest.mark.parametrize("broken", [5, 6, 7])
def test_a_frame_that_is_refused_costs_no_incident(broken: int) -> None:
    frames = list(script([GRAPH] * 60, failing=range(2, 20)).script)
    odd = frames[60 + broken].frame
    frames[60 + broken] = ScriptedFrame(
        GRAPH, replace(odd, cpu_percent=np.full_like(odd.cpu_percent, np.inf))
    )
    kept = Kept(ScriptedFactory(tuple(frames), past=60))
    kept.tick(broken - 1)
    with pytest.raises(ValueError, match="cpu_percent"):
        kept.tick()
    kept.tick(45)
    (incident,) = kept.incidents.values()
    assert incident.closed_by is IncidentEnd.RECOVERED
    assert kept.events.count("incident_opened") == kept.events.count("incident_closed") == 1


def test_a_tick_that_fails_late_costs_no_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(script([GRAPH] * 60, failing=range(2, 20)))
    pipeline = kept.system._present.live.pipeline
    for number in range(1, 50):
        with monkeypatch.context() as patched:
            if number in (6, 35):  # the incident is recognised, and is over
                patched.setattr(pipeline._budgets, "update", lambda *_: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    kept.tick()
            else:
                kept.tick()
    (incident,) = kept.incidents.values()
    assert incident.closed_by is IncidentEnd.RECOVERED


def test_what_ended_with_a_graph_is_kept_though_the_tick_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = [of(GRAPH, n, ["mail"] if n > 62 else ()) for n in range(75)]
    frames += [of(FEWER, n) for n in range(75, 90)]
    kept = Kept(ScriptedFactory(tuple(frames), past=60))
    kept.tick(14)
    (going,) = kept.incidents.values()
    assert going.closed_by is None
    with monkeypatch.context() as patched:
        patched.setattr(kept.system._present.live.pipeline._budgets, "update", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            kept.tick()
    kept.tick()
    assert kept.incidents[going.id].closed_by is IncidentEnd.SERVICE_REMOVED
    assert kept.events.count("topology_changed") == 1


class Injector(ScriptedSystem):
    """Kills alone, and fails as often as told."""

    failures = 0

    def inject(self, fault: Fault) -> Fault:
        self.kinds = frozenset({FaultKind.SERVICE_KILL})
        if fault.target == "mail":
            raise ConnectionError("the agent does not answer")
        return super().inject(fault)

    def stop(self, fault: Fault) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the agent does not answer")
        super().stop(fault)


class InjectorFactory(ScriptedFactory):
    def open(self, now: object) -> Source:
        injector = Injector(self.script, self.past, START)
        injector.kinds = frozenset({FaultKind.SERVICE_KILL})
        return Source(injector, injector)


@pytest.fixture
def failing() -> tuple[System, Injector]:
    known = script([GRAPH] * 5)
    running = System(InjectorFactory(known.script, known.past), PREDICTOR)
    injector: FaultInjector | None = running._present.live.source.faults
    assert isinstance(injector, Injector)
    return running, injector


KILL = Fault("store", FaultKind.SERVICE_KILL, 0.0, 60.0)


def test_what_an_injector_cannot_do_is_refused(failing: tuple[System, Injector]) -> None:
    running, injector = failing
    with pytest.raises(ServerError) as refused:
        running.inject(replace(KILL, kind=FaultKind.CPU_SPIKE))
    assert refused.value.reason is Reason.NOT_SUPPORTED_BY_SOURCE
    assert not injector.injected


def test_an_injector_that_fails_injects_all_or_nothing(failing: tuple[System, Injector]) -> None:
    running, injector = failing
    document = (
        '[{"name": "both", "seconds": 60, "faults": ['
        '{"target": "store", "kind": "service_kill", "duration_s": 9},'
        '{"target": "mail", "kind": "service_kill", "duration_s": 9, "start_s": 5}]}]'
    )
    with pytest.raises(ConnectionError):
        running.run_scenario(document)
    assert not injector.injected
    assert not running.unfinished_experiments()


def test_the_kill_switch_holds_even_if_an_injector_cannot_stop(
    failing: tuple[System, Injector],
) -> None:
    running, injector = failing
    running.inject(KILL)
    injector.failures = 1
    with pytest.raises(ConnectionError):
        running.set_kill_switch(True)
    with pytest.raises(ServerError) as refused:
        running.inject(KILL)
    assert refused.value.reason is Reason.KILL_SWITCH_ENGAGED
    assert [fault.target for fault in running.set_kill_switch(True)] == ["store"]
    assert not injector.injected


def test_a_fault_that_outlives_a_change_is_recorded_once() -> None:
    found: list[RecordedExperiment] = []
    recorder = ExperimentRecorder(found.append)
    factory = script([*[GRAPH] * 40, *[FEWER] * 200])
    running = System(factory, PREDICTOR, observer=recorder.observe)
    running.inject(replace(KILL, duration_s=200.0))
    for _ in range(200):
        running.tick()
    recorder.close()
    assert [one.first.graph for one in found] == [GRAPH]
    assert GRAPH.names == NAMES
