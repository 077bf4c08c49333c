"""What the server writes: a line per event, for programs, and no secret."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from server.logs import LineFormatter, LogFormat
from sre_edge import Client, Connection, InvalidRequest, NotFound
from tests.processes import Program


def record(**fields: object) -> logging.LogRecord:
    try:
        raise ValueError("first line\nsecond line")
    except ValueError as error:
        found = logging.LogRecord(
            "server",
            logging.ERROR,
            "",
            0,
            'it "failed"',
            (),
            (ValueError, error, error.__traceback__),
        )
    found.fields = fields
    return found


def test_an_exception_stays_on_its_line_and_fields_are_quoted() -> None:
    fields = {"count": 3, "seconds": 0.123456789, "text": "two words", "empty": ""}
    line = LineFormatter(LogFormat.LOGFMT).format(record(**fields))
    assert "\n" not in line
    assert 'event="it \\"failed\\"" count=3 seconds=0.123457 text="two words" empty=""' in line
    assert "second line" in line
    event = json.loads(LineFormatter(LogFormat.JSON).format(record(**fields)))
    assert (event["level"], event["text"]) == ("error", "two words")
    assert "second line" in event["exception"]


@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_run_of_the_server_as_json(tmp_path: Path, level: str) -> None:
    secret = "correct-horse-battery"  # noqa: S105
    token_file = tmp_path / "token"
    token_file.write_text(secret)
    program = Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--log-format", "json", "--log-level", level, "--token-file", str(token_file),
        "--store", f"sqlite:///{tmp_path}/store.sqlite3", "--data", str(tmp_path),
    )  # fmt: skip
    try:
        address = program.expect(r"grpc://(\S+)")[1]
        with Client(Connection(address, token_file=str(token_file))) as client:
            client.metrics()
            with pytest.raises(NotFound):
                client.metrics(services=["nobody"])
            client.set_clock(speed=10)
            with pytest.raises(InvalidRequest):
                client.set_clock(speed=1e6)
    finally:
        program.stop()
    text = "".join(program.lines)
    assert secret not in text
    events = [json.loads(line) for line in program.lines if line.startswith("{")]
    (started,) = [event for event in events if event["event"] == "started"]
    assert started["speed"] == 1.0
    assert started["token_file"] == str(token_file)
    calls = [(e["method"].rpartition("/")[2], e["code"]) for e in events if e["event"] == "call"]
    changes = [("SetClock", "OK"), ("SetClock", "INVALID_ARGUMENT")]
    reads = [("GetMetrics", "OK"), ("GetMetrics", "NOT_FOUND")]
    assert calls == (changes if level == "info" else [*reads, *changes])
    assert events[-1]["event"] == "stopped"
