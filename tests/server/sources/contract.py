"""What every adapter of a port has to pass: each states a fixture `source`."""

from __future__ import annotations

from datetime import UTC

import numpy as np
import pytest

from server.errors import ServerError
from server.ports import Source
from telemetry.faults import Fault, FaultError, FaultKind


class FrameSourceContract:
    def test_frames_follow_each_other_without_holes(self, source: Source) -> None:
        frames = source.frames
        assert frames.start_time.tzinfo is UTC
        assert frames.time_s == 0.0
        known = [*frames.backfill(), *(frames.next_frame() for _ in range(3))]
        for number, frame in enumerate(known):
            assert frame.interval_s == frames.interval_s
            assert frame.t_s == pytest.approx(number * frames.interval_s)
        assert frames.time_s == pytest.approx(len(known) * frames.interval_s)

    def test_a_frame_is_of_the_graph_and_finite_or_not_observed(self, source: Source) -> None:
        frame = source.frames.next_frame()
        graph = source.frames.graph
        for name, values in vars(frame).items():
            if isinstance(values, np.ndarray):
                size = graph.edges if name.startswith("edge_") else graph.services
                assert values.shape == (1, size), name
                assert not np.isinf(values).any(), name

    def test_the_graph_is_the_same_object_until_it_changes(self, source: Source) -> None:
        source.frames.next_frame()
        graph = source.frames.graph
        assert source.frames.graph is graph
        assert graph.name
        assert len(set(graph.names)) == graph.services


class FaultInjectorContract:
    def test_what_it_can_do_is_injected_and_stopped(self, source: Source) -> None:
        assert source.faults is not None
        entry = source.frames.graph.names[int(source.frames.graph.entry.argmax())]
        now_s = source.frames.time_s
        for kind in source.faults.kinds:
            fault = Fault(entry, kind, now_s, 10.0)
            assert source.faults.inject(fault) == fault
            source.faults.stop(fault)
            source.faults.stop(fault)  # it is over already
        source.faults.inject(Fault(entry, next(iter(source.faults.kinds)), now_s + 60.0, 10.0))
        source.faults.stop_all()
        source.frames.next_frame()

    def test_who_names_no_target_is_told_which_it_is(self, source: Source) -> None:
        assert source.faults is not None
        if FaultKind.CASCADE_FAILURE not in source.faults.kinds:
            pytest.skip("no kind that finds its target by itself")
        nameless = Fault("", FaultKind.CASCADE_FAILURE, 0.0, 10.0)
        resolved = source.faults.resolve(nameless)
        injected = source.faults.inject(nameless)
        assert injected.target in source.frames.graph.names
        assert injected == resolved == source.faults.resolve(resolved)

    def test_what_is_not_possible_changes_nothing(self, source: Source) -> None:
        assert source.faults is not None
        kind = next(iter(source.faults.kinds))
        with pytest.raises(FaultError):
            source.faults.resolve(Fault("nobody", kind, 0.0, 10.0))
        with pytest.raises(FaultError):
            source.faults.inject(Fault("nobody", kind, 0.0, 10.0))
        with pytest.raises(FaultError):
            source.faults.inject(Fault(source.frames.graph.names[0], kind, 0.0, -1.0))

    def test_a_scenario_is_read_or_refused_with_its_place(self, source: Source) -> None:
        assert source.faults is not None
        kind, target = sorted(source.faults.kinds)[0], source.frames.graph.names[0]
        document = (
            f'[{{"name": "day", "seconds": 60, "faults": [{{"target": "{target}", '
            f'"kind": "{kind}", "start_s": 5, "duration_s": 10}}]}}]'
        )
        scenario = source.faults.read_scenario(document)
        assert (scenario.name, scenario.seconds) == ("day", 60.0)
        assert scenario.faults == (Fault(target, kind, 5.0, 10.0),)
        with pytest.raises(ServerError) as refused:
            source.faults.read_scenario(document.replace(target, "nobody"))
        assert refused.value.violations[0].field.startswith("document")


class LabelSourceContract:
    def test_the_truth_is_of_the_latest_frame(self, source: Source) -> None:
        assert source.labels is not None
        source.frames.next_frame()
        for name, values in vars(source.labels.truth).items():
            assert values.shape == (1, source.frames.graph.services), name
