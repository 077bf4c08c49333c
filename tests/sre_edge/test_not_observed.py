"""What is not observed is missing to whoever uses the Python client or the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from sre_edge import Client
from sre_edge.cli import output
from sre_edge.cli.plain_json import plain
from sre_edge.observation import age, observed
from sre_edge.v1 import (
    history_pb2,
    prediction_pb2,
    simulation_service_pb2,
    snapshot_pb2,
    system_pb2,
)
from telemetry.metrics import FRAME_METRICS
from telemetry.recordings.reading import read_recording
from tests import partly_observed
from tests.processes import sre_edge


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with partly_observed.server(tmp_path_factory.mktemp("data")) as app:
        yield app.address


def test_the_client_tells_missing_from_zero(target: str) -> None:
    with Client(target) as client:
        taken = {one.service: one for one in client.metrics().services}
    assert observed(taken["edge"], "error_rate_percent") == 0.0
    assert observed(taken["cart"], "error_rate_percent") is None
    assert observed(taken["cart"], "cpu_percent") == 30.0
    assert observed(taken["store"], "cpu_percent") is None
    assert observed(taken["edge"], "colour") is None
    assert observed(snapshot_pb2.ServiceMetrics(), "cpu_percent") is None  # an older server


def test_an_age_is_said_from_one_interval_on() -> None:
    def said(requests_s: float, resources_s: float) -> str:
        message = snapshot_pb2.ServiceMetrics(
            requests_age_seconds=requests_s, resources_age_seconds=resources_s
        )
        return age(message, 2.0)

    assert said(0.0, 0.0) == said(2.0, 1.0) == said(math.nan, math.nan) == said(math.nan, 0.0) == ""
    assert said(12.0, 0.0) == "requests 12 s old"
    assert said(math.nan, 75.0) == "resources 1 m 15 s old"
    assert said(12.0, 12.0) == "12 s old"
    assert said(12.0, 30.0) == "requests 12 s old, resources 30 s old"


def test_a_table_has_a_dash_and_says_what_is_old(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(width=200, record=True, highlight=False)
    monkeypatch.setattr(output, "console", console)
    with Client(target) as client:
        console.print(output.snapshot(client.metrics(), output.overview(client.catalog())))
        console.print(output.snapshot(client.metrics(["edge"]), []))
    table, fresh = console.export_text().split("simulated time")[1:]
    rows = {line.split()[0]: line for line in table.splitlines()[2:]}
    assert rows["cart"].count("–") == 3
    assert "unknown" in rows["store"]
    assert rows["store"].count("–") == 6
    assert rows["mail"].rstrip().endswith("requests 4 s old")
    assert rows["till"].rstrip().endswith("12 s old")
    assert rows["edge"].count("old") == rows["edge"].count("–") == 0
    assert "nan" not in table.lower()
    assert "age" not in fresh


def test_a_line_for_scripts_leaves_it_out(target: str) -> None:
    lines = sre_edge(target, "watch", "--count", "1").stdout.splitlines()
    rows = {line.split()[1]: line for line in lines}
    assert "status=unknown" in rows["service=store"]
    assert "percent" not in rows["service=store"]
    assert "cpu_percent=30 " in rows["service=cart"]
    assert "latency" not in rows["service=cart"]
    assert " requests_age_seconds=4 " in rows["service=mail"]
    assert "resources_age" not in rows["service=mail"]
    assert "nan" not in "".join(lines)


def test_json_has_null(target: str) -> None:
    written = sre_edge(target, "watch", "--json", "--count", "1").stdout
    rows = {one["service"]: one for one in json.loads(written)["services"]}
    assert rows["cart"]["latency_ms"] is None
    assert rows["cart"]["requests_age_seconds"] is None
    assert (rows["cart"]["cpu_percent"], rows["edge"]["error_rate_percent"]) == (30.0, 0.0)
    assert (rows["mail"]["requests_age_seconds"], rows["mail"]["resources_age_seconds"]) == (4, 0)
    assert rows["store"]["status"] == "STATUS_UNKNOWN"
    assert "NaN" not in written


def test_json_has_null_wherever_a_number_may_be_missing() -> None:
    line = history_pb2.HistorySeries(service="NaN", mean=[1.0, math.nan])
    answer = simulation_service_pb2.QueryHistoryResponse(series=[line])
    (series,) = plain(answer)["series"]
    assert (series["service"], series["mean"]) == ("NaN", [1.0, None])
    prediction = prediction_pb2.Prediction(features={"cpu": math.nan, "memory": 2.0})
    assert plain(prediction)["features"] == {"cpu": None, "memory": 2.0}
    system = system_pb2.System(id="shop", labels={"team": "NaN"})
    system.frame_age.FromSeconds(3)
    found = plain(system)
    assert (found["labels"], found["frame_age"]) == ({"team": "NaN"}, "3s")


def test_a_recording_has_the_same_gaps_and_ages(target: str, tmp_path: Path) -> None:
    directory = tmp_path / "recording"
    done = sre_edge(target, "record", str(directory), "--for", "10s")
    assert done.returncode == 0, done.stderr
    recording = read_recording(directory)
    found, shown = recording.frame(recording.frames - 1), partly_observed.shown()
    assert recording.graph(0).names == partly_observed.GRAPH.names
    for metric in FRAME_METRICS:
        np.testing.assert_array_equal(getattr(found, metric.field), getattr(shown, metric.field))
    assert found.age is not None
    assert shown.age is not None
    for kind in ("requests_s", "resources_s", "edges_s"):
        np.testing.assert_array_equal(getattr(found.age, kind), getattr(shown.age, kind))
