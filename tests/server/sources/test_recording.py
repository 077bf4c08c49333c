"""A recording keeps the contract of a source, and plays what was recorded, bit for bit."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ml.serving.predictor import Predictor
from server.errors import Reason, ServerError
from server.ports import Source, SourceEndedError, SourceError
from server.rpc.snapshot_encoder import ENCODER
from server.sources.recording import MAX_BACKFILL_FRAMES, recording
from server.sources.simulation import simulation
from server.systems.recorder import Changes, Persistence
from server.systems.system import System
from sre_edge.recording import parquet
from sre_edge.recording.writer import RecordingWriter
from sre_edge.v1 import simulation_service_pb2
from telemetry.faults import Fault, FaultKind
from telemetry.topology.conversion import document_of
from tests.server.sources.contract import FrameSourceContract
from tests.telemetry.recordings import files

NOW = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)
PREDICTOR = Predictor()
DELAY = Fault("product-catalog", FaultKind.NETWORK_LATENCY, 0.0, 240.0, 2.0, 90.0)
TICKS = 260


class Watched:
    """A system with all that it showed and found."""

    def __init__(self, factory: object) -> None:
        self.changes: list[Changes] = []
        persistence = Persistence(save=self.changes.append)
        self.system = System(factory, PREDICTOR, persistence=persistence)  # type: ignore[arg-type]
        self.shown = [self.system.latest]

    def tick(self, times: int) -> None:
        self.shown += [self.system.tick() for _ in range(times)]

    def found(self, name: str) -> list[str]:
        """Incidents or alarms as they were in the end, without the id of the run."""
        latest = {one.id: one for change in self.changes for one in getattr(change, name)}
        return [repr(one).replace(self.system.run.id, "") for one in latest.values()]


def written(watched: Watched, directory: Path) -> Path:
    """Record what a system has shown, as a client does."""
    system = watched.system
    with RecordingWriter(directory, "a test") as writer:
        for snapshot in (*system.past(), *watched.shown):
            encoded = ENCODER.encode(snapshot, None)
            message = simulation_service_pb2.StreamMetricsResponse.FromString(encoded).snapshot
            if not writer.intervals:
                writer.topology(document_of(system.graph), message)
            writer.add(message)
    return directory


@pytest.fixture(scope="module")
def live() -> Watched:
    watched = Watched(simulation("boutique", 3))
    watched.tick(40)
    watched.system.inject(DELAY)
    watched.tick(TICKS - 40)
    return watched


@pytest.fixture(scope="module")
def directory(live: Watched, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = written(live, tmp_path_factory.mktemp("recordings") / "boutique")
    parquet.convert(directory)
    return directory


@pytest.fixture
def source(directory: Path) -> Source:
    return recording(directory).open(NOW)


class TestFrames(FrameSourceContract):
    pass


def same(a: object, b: object) -> None:
    assert type(a) is type(b)
    for field in fields(a):  # type: ignore[arg-type]
        values = getattr(a, field.name)
        if isinstance(values, np.ndarray):
            np.testing.assert_array_equal(values, getattr(b, field.name), err_msg=field.name)


@pytest.mark.parametrize("as_csv", [False, True])
def test_what_was_recorded_is_played_bit_for_bit(
    live: Watched, directory: Path, tmp_path: Path, as_csv: bool
) -> None:
    chosen = written(live, tmp_path / "csv") if as_csv else directory
    played = Watched(recording(chosen))
    played.tick(TICKS)
    assert len(played.shown) == len(live.shown)
    for before, after in zip(live.shown, played.shown, strict=True):
        assert (after.sequence, after.time) == (before.sequence, before.time)
        assert (after.statuses, after.anomalies) == (before.statuses, before.anomalies)
        same(before.frame, after.frame)
        assert before.forecast is not None
        assert after.forecast is not None
        same(before.forecast, after.forecast)
        assert after.forecast.features.size  # they are among what is the same
        assert after.forecast.system_probability == before.forecast.system_probability
    assert len(live.found("incidents")) > 0
    assert len(live.found("alarms")) > 0
    assert played.found("incidents") == live.found("incidents")
    assert played.found("alarms") == live.found("alarms")
    same(live.system.graph, played.system.graph)


def test_the_past_and_the_faults_are_in_it(directory: Path) -> None:
    read = recording(directory).recording
    assert read.backfill == 59
    assert read.frames == 59 + 1 + TICKS
    assert read.made_by == "a test"
    (fault,) = read.faults
    began = (60 + 40) * 2.0
    assert (fault.target, fault.kind, fault.start_s, fault.end_s) == (
        "product-catalog", "network_latency", began, began + 240.0,
    )  # fmt: skip


def test_it_ends_and_says_so(directory: Path) -> None:
    played = Watched(recording(directory))
    played.tick(TICKS)
    with pytest.raises(SourceEndedError, match=r"the recording ended at 20\d\d-.* UTC: seek"):
        played.tick(1)
    assert played.system.latest.sequence == TICKS + 1


def test_another_time_is_sought_with_what_is_normal_learned_before(
    live: Watched, directory: Path
) -> None:
    played = Watched(recording(directory))
    time = live.shown[200].time + timedelta(seconds=1.5)
    run = played.system.begin(played.system.prepare_at(time))
    assert run.id != live.system.run.id
    first = played.system.latest
    assert (first.sequence, first.time) == (1, live.shown[200].time)
    same(live.shown[200].frame, first.frame)
    assert first.forecast is not None
    # All frames before it fit the past, so that the prediction is the same.
    expected = live.shown[200].forecast
    assert expected is not None
    np.testing.assert_array_equal(first.forecast.probability, expected.probability)
    assert MAX_BACKFILL_FRAMES > 260
    played.system.reset()
    assert played.system.latest.time == live.shown[0].time


@pytest.mark.parametrize("seconds", [-1.0, 1e6])
def test_a_time_outside_of_it_is_refused(directory: Path, seconds: float) -> None:
    factory = recording(directory)
    start = factory.recording.start_time
    with pytest.raises(ServerError) as refused:
        factory.sought(start + timedelta(seconds=seconds))
    (violation,) = refused.value.violations
    assert violation.field == "time"
    assert "expected a time of the recording" in violation.description


def test_it_has_no_other_topology_no_seed_and_no_faults(directory: Path) -> None:
    factory = recording(directory)
    for topology, seed in (("default", None), ("", 5)):
        with pytest.raises(ServerError) as refused:
            factory.altered(topology, seed)
        assert refused.value.reason is Reason.NOT_SUPPORTED_BY_SOURCE
    played = System(factory, PREDICTOR)
    with pytest.raises(ServerError) as refused:
        played.inject(DELAY)
    assert refused.value.reason is Reason.NOT_SUPPORTED_BY_SOURCE
    able = played.capabilities
    assert (able.faults, able.labels, able.clock, able.reset, able.seek) == (
        False, False, True, True, True,
    )  # fmt: skip


def test_a_recording_by_hand_is_played_and_what_is_not_in_it_is_not_observed(
    tmp_path: Path,
) -> None:
    rows = [files.ROWS[0]] + [
        f"{2 * k},{name},{40 + k % 3},0" for k in range(60) for name in ("edge", "store") if k != 40
    ]
    played = Watched(recording(files.recording(tmp_path / "shop", rows)))
    assert played.system.latest.forecast is None
    played.tick(59)
    assert played.system.latest.forecast is not None
    assert np.isnan(played.shown[40].frame.latency_p95_ms).all()
    assert np.isfinite(played.system.latest.forecast.probability).all()


def test_one_interval_is_played(tmp_path: Path) -> None:
    played = System(recording(files.recording(tmp_path / "shop", files.ROWS[:2])), PREDICTOR)
    assert played.latest.sequence == 1
    with pytest.raises(SourceEndedError):
        played.tick()


def test_a_graph_that_changes_is_played(tmp_path: Path) -> None:
    wider = files.SYSTEM.replace("]\n", ", {name: mail}]\n")
    events = "topologies: [{t_s: 4, file: wider.yaml}]"
    rows = [*files.ROWS, "6,mail,7,0"]
    path = files.recording(tmp_path / "shop", rows, events=events, wider=wider)
    played = Watched(recording(path))
    played.tick(3)
    assert [one.graph.services for one in played.shown] == [2, 2, 3, 3]
    assert [one.graph_since for one in played.shown] == [0, 0, 3, 3]


def test_what_cannot_be_read_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected the directory of a recording"):
        recording(tmp_path / "nowhere")
