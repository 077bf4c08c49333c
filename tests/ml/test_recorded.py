"""Recordings are evaluated as episodes: causes, what is scored, and the report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ml.definitions.labelled import UNKNOWN_TYPE
from ml.episodes.recorded import read_episode
from ml.features.extractor import WARM_UP_FRAMES
from telemetry.recordings.reading import RecordingError
from tests.telemetry.recordings import files

FRAMES, ONSET = 120, 70
EVENTS = (
    "faults:\n"
    "- {target: store, kind: memory_leak, start_s: 100, end_s: 200, intensity: 0.7}\n"
    "- {target: store, kind: cpu_load, start_s: 20, end_s: 30}\n"
)


def episode(directory: Path, events: str = EVENTS, frames: int = FRAMES) -> Path:
    """A recording in which the store answers more and more slowly until it is in breach."""
    rows = ["t_s,service,cpu_percent,latency_p95_ms,request_count,error_rate_percent,failed_count"]
    for k in range(frames):
        slow = 20.0 + max(0, k - 50) * 4.0 + (k % 3) if k < 100 else 20.0 + k % 3
        rows += [f"{2 * k},edge,30,{40 + k % 2},200,0,0", f"{2 * k},store,40,{slow},200,0,0"]
    system = (
        "services: [{name: edge, dependencies: [store], slo: {latency_ms: 500}}, "
        "{name: store, slo: {latency_ms: 100}}]"
    )
    return files.recording(directory, rows, system=system, events=events)


def test_incidents_have_the_fault_as_their_cause_that_they_follow(tmp_path: Path) -> None:
    recorded = read_episode(episode(tmp_path / "leak"))
    first = WARM_UP_FRAMES
    (incident,) = recorded.incidents
    assert incident.service == 1
    assert incident.onset == ONSET - first
    assert recorded.seconds(incident.onset) == 2.0 * ONSET
    (cause,) = recorded.causes
    assert cause is not None
    assert (cause.kind, cause.start_s, cause.intensity) == ("memory_leak", 100.0, 0.7)
    assert recorded.foreseeable(0)
    assert recorded.types == (UNKNOWN_TYPE,)
    assert recorded.features.shape[:3] == (FRAMES - first, 1, 2)


@pytest.mark.parametrize(
    ("start_s", "end_s", "is_cause", "is_foreseeable"),
    [
        (100, 111, True, True),  # it ended 29 s before the onset at 140 s
        (100, 109, False, False),  # 31 s before
        (134, 160, True, False),  # it began 6 s before
        (142, 160, False, False),  # after it
    ],
)
def test_a_fault_is_a_cause_while_it_acts_and_for_half_a_minute(
    tmp_path: Path, start_s: float, end_s: float, is_cause: bool, is_foreseeable: bool
) -> None:
    events = f"faults: [{{target: store, kind: x, start_s: {start_s}, end_s: {end_s}}}]"
    recorded = read_episode(episode(tmp_path / "leak", events))
    assert (recorded.causes[0] is not None, recorded.foreseeable(0)) == (is_cause, is_foreseeable)


def test_rows_whose_future_is_not_recorded_are_not_scored(tmp_path: Path) -> None:
    recorded = read_episode(episode(tmp_path / "leak"))
    scored, label = recorded.scored[:, 0], recorded.label[:, 0]
    last = len(scored) - 38
    assert scored[:last, 0].all()
    assert not scored[last:, 0].any()
    onset = recorded.incidents[0].onset
    assert scored[onset - 1, 1]
    assert label[onset - 30 : onset, 1].all()
    assert not scored[onset, 1]
    np.testing.assert_array_equal(label[:, 0], False)


def test_what_cannot_be_evaluated_is_said(tmp_path: Path) -> None:
    slow = episode(tmp_path / "slow")
    meta = (slow / "meta.yaml").read_text()
    (slow / "meta.yaml").write_text(meta.replace("interval_s: 2", "interval_s: 1"))
    with pytest.raises(
        RecordingError, match="expected, to evaluate on it, intervals of 2 s, got 1"
    ):
        read_episode(slow)
    with pytest.raises(
        RecordingError, match="at least 33 intervals, of which 30 teach what is nor"
    ):
        read_episode(episode(tmp_path / "short", frames=32))
    changing = episode(tmp_path / "changing", "topologies: [{t_s: 40, file: system.yaml}]")
    with pytest.raises(RecordingError, match="got a recording whose topology changes"):
        read_episode(changing)


@pytest.mark.slow
def test_the_command_reports_recordings_by_their_names(tmp_path: Path) -> None:
    leak, short = episode(tmp_path / "leak"), episode(tmp_path / "brief", "", 90)
    done = subprocess.run(
        [sys.executable, "-m", "ml", "evaluate", "--recording", str(leak),
         "--recording", str(short), "--json", "-", "--plots", str(tmp_path / "plots")],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [one["topology"] for one in report["per_topology"]] == ["leak", "brief"]
    assert [one["services"] for one in report["per_topology"]] == [2, 2]
    assert report["episodes"] == 2
    model = report["overall"]["model"]
    assert (model["incidents"], model["foreseeable_incidents"]) == (2, 1)
    assert report["overall"]["oracle"] is None
    assert set(report["overall"]["baselines"]) >= {"static_threshold", "extrapolation"}
    assert report["by_fault"]["memory_leak"]["incidents"] == 1
    assert report["by_fault"]["none"]["incidents"] == 1
    assert report["incident_type"]["accuracy"] is None
    assert (tmp_path / "plots" / "events.png").exists()


def test_recordings_and_topologies_are_not_mixed(tmp_path: Path) -> None:
    for arguments, said in (
        (["--recording", "a", "--topology", "b"], "--recording or --topology, not both"),
        (["--recording", str(tmp_path / "no")], "expected the directory of a recording"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ml", "evaluate", *arguments],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
