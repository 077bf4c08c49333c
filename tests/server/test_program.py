"""`python -m server`, as an operator meets it."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from server.store import locate, open_store
from tests.processes import QUIET

FREE = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the records of this machine's user out of it."""
    monkeypatch.setitem(QUIET, "SRE_EDGE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def refused(*arguments: str, **variables: str) -> str:
    """Start a server that cannot start, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        capture_output=True, text=True, timeout=60, env={**QUIET, **variables}, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def taken_port() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_a_port_in_use_is_said_with_the_setting_that_changes_it() -> None:
    with taken_port() as address:
        text = refused("--listen", address, "--metrics-listen", "127.0.0.1:0")
        assert address in text
        assert "Address already in use" in text
        assert "SRE_EDGE_LISTEN" in text
        text = refused("--listen", "127.0.0.1:0", "--metrics-listen", address)
        assert "SRE_EDGE_METRICS_LISTEN" in text


def test_records_that_lack_a_table_are_said_plainly(data: Path) -> None:
    open_store(locate(data, None)).close()
    with closing(sqlite3.connect(data / "store.sqlite3")) as records:
        records.execute("DROP TABLE trainings")
    text = refused(*FREE)
    assert "store.sqlite3" in text
    assert "no such table: trainings" in text


def test_a_seed_that_no_message_can_hold_is_refused() -> None:
    assert "--seed" in refused("--seed", str(2**64))


def test_off_loopback_needs_insecure() -> None:
    assert "--insecure" in refused("--listen", "0.0.0.0:0")
    assert "--insecure" in refused(SRE_EDGE_METRICS_LISTEN="0.0.0.0:0")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--listen", "nonsense"), "expected HOST:PORT"),
        (("--speed", "nan"), "expected 0.1 to 100"),
        (("--speed", "1000"), "expected 0.1 to 100"),
        (("--slo-scale", "0"), "SRE_EDGE_SLO_SCALE=0: expected more than 0 and at most 1"),
        (("--slo-min-rps", "nan"), "SRE_EDGE_SLO_MIN_RPS=nan: expected at least 0"),
        (("--topology", "/nowhere.yaml"), "/nowhere.yaml: expected a readable"),
        (("--model", "/nowhere"), "/nowhere: expected a model"),
    ],
)
def test_a_wrong_setting_is_said(arguments: tuple[str, ...], expected: str) -> None:
    assert expected in refused(*FREE, *arguments)


def test_a_wrong_topology_file_names_file_path_and_expectation(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("services: [{name: web, colour: red}]")
    text = refused(*FREE, "--topology", str(path))
    assert f"{path}: services[0].colour: expected one of the keys" in text


def test_records_that_cannot_be_used_are_said_and_left_alone(data: Path) -> None:
    data.mkdir()
    (data / "store.sqlite3").write_text("my holiday photos")
    text = refused(*FREE)
    assert f"{data}/store.sqlite3: is damaged or not an SQLite database" in text
    assert (data / "store.sqlite3").read_text() == "my holiday photos"
    text = refused(*FREE, SRE_EDGE_STORE="postgresql://sre:hunter2@127.0.0.1:1/records")
    assert "postgresql://sre:***@127.0.0.1:1/records: " in text
    assert "hunter2" not in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_stops_cleanly(number: signal.Signals, data: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "server", *FREE],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=QUIET,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        assert re.match(r"server +grpc://127\.0\.0\.1:\d+ +\(metrics: http://127", line)
        line = process.stdout.readline()
        assert line.split() == ["records", f"{data}/store.sqlite3", "(models:", f"{data}/models)"]
        process.send_signal(number)
        assert process.wait(timeout=15) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_the_serving_process_imports_no_training_code() -> None:
    text = (
        "import sys, server.__main__\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'xgboost', 'sklearn', 'pandas', 'onnx', 'dash'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
