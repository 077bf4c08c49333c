"""A recording is read as it is, or refused with file, place and expectation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from telemetry.recordings.reading import RecordingError, read_recording
from tests.telemetry.recordings.files import META, ROWS, SYSTEM, recording

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_a_table_with_names_and_calls_alone_is_a_recording(tmp_path: Path) -> None:
    read = read_recording(recording(tmp_path / "shop"))
    assert (read.name, read.interval_s, read.frames, read.backfill) == ("shop", 2.0, 4, 0)
    assert (read.start_time, read.end_time) == (NOON, NOON.replace(second=8))
    graph = read.graph(0)
    assert (graph.names, graph.edges, graph.entry.tolist()) == (("edge", "store"), 1, [True, False])
    assert np.isnan(graph.timeout_ms).all()
    assert np.isnan(graph.slo_latency_ms).all()
    frame = read.frame(3)
    assert (frame.t_s, frame.interval_s, frame.age) == (6.0, 2.0, None)
    assert frame.latency_p95_ms.tolist() == [[43.0, 43.0]]
    assert np.isnan(frame.cpu_percent).all()
    assert frame.edge_call_rate_rps.shape == (1, 1)
    assert np.isnan(frame.edge_call_rate_rps).all()


def test_parquet_and_csv_say_the_same(tmp_path: Path) -> None:
    directory = recording(tmp_path / "shop")
    before = read_recording(directory).frame(2)
    table = pd.read_csv(directory / "services.csv")
    table.to_parquet(directory / "services.parquet")
    (directory / "services.csv").unlink()
    after = read_recording(directory).frame(2)
    for name, values in vars(before).items():
        np.testing.assert_array_equal(values, getattr(after, name))


def test_holes_are_not_observed_and_rows_may_be_sorted_by_service(tmp_path: Path) -> None:
    rows = [row for row in ROWS[1:] if not row.startswith("4,") and row != ROWS[-1]]
    rows.sort(key=lambda row: row.split(",")[1])
    read = read_recording(recording(tmp_path / "shop", [ROWS[0], *rows]))
    assert read.frames == 4
    assert np.isnan(read.frame(2).latency_p95_ms).all()
    assert read.frame(3).latency_p95_ms[0, 0] == 43.0
    assert np.isnan(read.frame(3).latency_p95_ms[0, 1])


def test_the_first_row_may_be_late(tmp_path: Path) -> None:
    late = [ROWS[0], "100,edge,40,0", "102,edge,41,0"]
    events = "faults: [{target: store, kind: cpu_load, start_s: 101, end_s: 140, pod: store-1}]"
    read = read_recording(recording(tmp_path / "shop", late, events=events))
    assert (read.frames, read.start_time) == (2, NOON.replace(minute=1, second=40))
    assert read.frame(0).t_s == 0.0
    (fault,) = read.faults
    assert (fault.kind, fault.start_s, fault.end_s, fault.intensity) == ("cpu_load", 1.0, 40.0, 1.0)


def test_ages_are_of_a_kind_of_values(tmp_path: Path) -> None:
    rows = [
        "t_s,service,cpu_percent,cpu_percent_age_s,latency_ms",
        "0,edge,10,14,5",
        "0,store,,,",
    ]
    age = read_recording(recording(tmp_path / "shop", rows)).frame(0).age
    assert age is not None
    assert age.resources_s[0, 0] == 14.0
    assert age.requests_s[0, 0] == 0.0
    assert np.isnan(age.resources_s[0, 1])
    assert np.isnan(age.requests_s[0, 1])


def test_an_age_counts_for_all_of_its_kind_also_beside_a_value_that_is_missing(
    tmp_path: Path,
) -> None:
    rows = ["t_s,service,request_count,request_count_age_s,latency_ms", "0,edge,,14,5"]
    age = read_recording(recording(tmp_path / "shop", rows)).frame(0).age
    assert age is not None
    assert age.requests_s[0, 0] == 14.0


def test_edges_have_a_table_of_their_own(tmp_path: Path) -> None:
    directory = recording(tmp_path / "shop")
    edges = "t_s,caller,callee,call_rate_rps\n2,edge,store,20\n4,edge,store,21\n"
    (directory / "edges.csv").write_text(edges)
    read = read_recording(directory)
    rates = [float(read.frame(k).edge_call_rate_rps[0, 0]) for k in range(4)]
    np.testing.assert_array_equal(rates, [np.nan, 20.0, 21.0, np.nan])
    (directory / "edges.csv").write_text(edges.replace("edge,store,21", "store,edge,21"))
    with pytest.raises(RecordingError, match="expected a dependency of the topology, got 'store->"):
        read_recording(directory)


def test_the_topology_may_change(tmp_path: Path) -> None:
    wider = SYSTEM.replace("]\n", ", {name: mail}]\n")
    events = "topologies: [{t_s: 4, file: wider.yaml}]"
    rows = [*ROWS, "6,mail,7,0"]
    read = read_recording(recording(tmp_path / "shop", rows, events=events, wider=wider))
    assert [read.graph(k).names[-1] for k in range(4)] == ["store", "store", "mail", "mail"]
    assert read.graph(2) is read.graph(3)
    assert read.frame(1).latency_p95_ms.shape == (1, 2)
    assert read.frame(3).latency_p95_ms.tolist() == [[43.0, 43.0, 7.0]]
    early = recording(tmp_path / "shop", [*ROWS, "2,mail,7,0"], events=events, wider=wider)
    with pytest.raises(RecordingError, match="services of the topology of their time alone"):
        read_recording(early)


def test_what_is_no_metric_is_said(tmp_path: Path) -> None:
    rows = [f"{row},1,x" for row in ROWS[1:]]
    read = read_recording(recording(tmp_path / "shop", [f"{ROWS[0]},cpu_percnt,pod", *rows]))
    assert [text.partition(": ")[2] for text in read.warnings] == [
        "the column 'cpu_percnt' is no metric, and is not read; did you mean 'cpu_percent'?",
        "the column 'pod' is no metric, and is not read",
    ]


def test_times_are_found(tmp_path: Path) -> None:
    read = read_recording(recording(tmp_path / "shop"))
    for seconds, number in ((0.0, 0), (1.999, 0), (2.0, 1), (7.9, 3), (99.0, 3)):
        time = datetime.fromtimestamp(NOON.timestamp() + seconds, UTC)
        assert read.number_at(time) == number


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("6,store,50,0", r"row 9, t_s: expected one row of an interval for store, got 6 after 6"),
        (
            "2,store,50,0",
            r"row 9, t_s: expected later times in later rows for store, got 2 after 6",
        ),
        ("8,sotre,50,0", r"row 9: expected a service of the topology, got 'sotre'; did you mean"),
        ("8,store,inf,0", r"row 9, latency_p95_ms: expected a finite number of at least 0, or not"),
        ("8,store,-3,0", r"row 9, latency_p95_ms: expected a finite number of at least 0, or noth"),
        ("8,store,50,101", r"row 9, error_rate_percent: expected a finite number of at least 0 an"),
        ("8,store,fast,0", r"latency_p95_ms: expected a column of numbers"),
        ("7,store,50,0", r"row 9, t_s: expected the start of an interval, a multiple of interval"),
        ("-2,store,50,0", r"row 9, t_s: expected the start of an interval"),
        (",store,50,0", r"row 9, t_s: expected a time in seconds, got nan"),
        ("1777636800,store,50,0", r"t_s: expected times in seconds: 5 intervals have rows, out of"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(RecordingError, match=said) as refused:
        read_recording(recording(tmp_path / "shop", [*ROWS, row]))
    assert str(tmp_path / "shop" / "services.csv") in str(refused.value)


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ({"meta": META.replace("1\n", "2\n", 1)}, r"meta.yaml: version: expected 1, the version "),
        ({"meta": "version: 1\n"}, r"meta.yaml: interval_s: expected"),
        ({"meta": META.replace("2\n", "0\n", 1)}, r"meta.yaml: interval_s: expected a number gre"),
        ({"meta": META + "backfill_s: 8\n"}, r"meta.yaml: backfill_s: expected less than there "),
        ({"meta": "[1"}, r"meta.yaml: line 2"),
        ({"meta": ""}, r"meta.yaml: version: expected"),
        ({"system": "services: [{name: edge, dependencies: [stroe]}]"}, r"system.yaml: services"),
        ({"events": "faults: [{target: edge}]"}, r"events.yaml: faults\[0\].kind: expected"),
        ({"events": "topologies: [{t_s: 2, file: ../x.yaml}]"}, r"expected the name of a file in"),
        ({"events": "topologies: [{t_s: 2, file: x.yaml}]"}, r"x.yaml: expected a readable YAML"),
    ],
)
def test_a_wrong_document_is_named(tmp_path: Path, documents: dict[str, str], said: str) -> None:
    with pytest.raises(RecordingError, match=said):
        read_recording(recording(tmp_path / "shop", **documents))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], r"services.csv: expected a table"),
        ([ROWS[0]], r"expected services.parquet or services.csv with at least one row"),
        (["time,service", "0,edge"], r"expected the columns t_s, service, got no t_s"),
    ],
)
def test_nothing_is_no_recording(tmp_path: Path, rows: list[str], said: str) -> None:
    with pytest.raises(RecordingError, match=said):
        read_recording(recording(tmp_path / "shop", rows))


def test_one_interval_is_a_recording(tmp_path: Path) -> None:
    assert read_recording(recording(tmp_path / "shop", ROWS[:2])).frames == 1


def test_a_directory_that_is_not_there_and_a_damaged_table(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="expected the directory of a recording"):
        read_recording(tmp_path / "nowhere")
    directory = recording(tmp_path / "shop")
    (directory / "services.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(RecordingError, match=r"services\.parquet: expected a table: "):
        read_recording(directory)
