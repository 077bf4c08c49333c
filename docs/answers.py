"""Runs the commands of docs/api.md against a real server and writes their answers: `make answers`.

An example is a block that begins with "$ grpcurl"; what follows the command is its answer. Of each
list the first element is shown, of long objects and texts the beginning.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sre_edge import Client, Connection
from tests import processes
from tests.certificates import Authority

PAGE = Path(__file__).parent / "api.md"
ADDRESS, GUARDED = "localhost:50051", "edge.example:50051"
MAX_LETTERS = 60
DOCUMENTS = ("metrics", "plots")
"""Fields that hold whole documents."""
COME_AND_GO = {
    "active_faults", "anomalies", "alerts", "confidence", "dropped_snapshots", "failed_ticks",
    "incident_type", "recommendations", "top_factors",  # when something is wrong
    "alarm_ids", "broke", "broken", "ended_by", "error_budget_spent", "foretold", "lead",
    "time_to_first_alarm", "time_to_recover",  # as an experiment goes on
    "candidate_version", "comparisons", "message", "share_done", "stage",  # as a training goes on
}  # fmt: skip
"""Fields that are there at times."""
PATIENCE_S = 60.0
QUIET_SNAPSHOTS = 150

_EXAMPLE = re.compile(
    r"(?<=```console\n)\$ (grpcurl (?:[^\n]*\\\n)*[^\n]*)\n(.*?)(?=```)", re.DOTALL
)
_READS = re.compile(r"/(Get|List|Query|Stream|Predict|Check)\w*$")

Run = Callable[[str], str]


def examples(page: str) -> list[tuple[str, str]]:
    """Commands and their answers, in order."""
    return [(found[1], found[2]) for found in _EXAMPLE.finditer(page)]


def shortened(value: Any, *, in_document: bool = False) -> Any:
    """Leave the beginning of what is long."""
    if isinstance(value, dict):
        kept = list(value.items())[:1] if in_document else value.items()
        return {
            key: shortened(inner, in_document=in_document or key in DOCUMENTS)
            for key, inner in kept
        }
    if isinstance(value, list):
        return [shortened(inner, in_document=in_document) for inner in value[:1]]
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, str) and value.startswith("/"):
        return "…/" + value.rsplit("/", 1)[-1]  # a file of the machine that it ran on
    if isinstance(value, str) and len(value) > MAX_LETTERS:
        return value[:MAX_LETTERS] + "…"
    return value


def shape(value: Any) -> Any:
    """Keys and kinds of values, without the values and without what comes and goes."""
    if isinstance(value, dict):
        return {
            key: "document" if key in DOCUMENTS else shape(inner)
            for key, inner in value.items()
            if key not in COME_AND_GO
        }
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return (
        "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value)
    )


def alike(found: Any, expected: Any) -> bool:
    """Whether two answers have the same shape; lines of text are the same in some order."""
    if isinstance(expected, dict):
        return bool(shape(found) == shape(expected))
    return sorted(found) == sorted(expected)


def read(answer: str) -> Any:
    """Read an answer: the first message after the position if it is JSON, else its lines."""
    text = answer.strip().expandtabs(2)
    if not text.startswith("{"):
        return text.splitlines()
    first, end = json.JSONDecoder().raw_decode(text)
    following = text[end:].strip()
    return read(following) if "position" in first and following else first


@contextmanager
def servers() -> Iterator[Run]:
    """Run a server with a past, and one with TLS and a token; gives what runs a command there."""
    with tempfile.TemporaryDirectory() as name, processes.server(speed=50.0) as address:
        directory = Path(name)
        authority = Authority(directory, "ca")
        certificate, key = authority.issue("edge.example")
        (directory / "token").write_text("correct-horse-battery")
        guarded = processes.Program(
            "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
            SRE_EDGE_TLS_CERT=str(certificate), SRE_EDGE_TLS_KEY=str(key),
            SRE_EDGE_TOKEN_FILE=str(directory / "token"),
        )  # fmt: skip
        try:
            second = guarded.expect(r"grpcs://(\S+)")[1]
            _give_a_past(address)

            def run(command: str) -> str:
                real = command.replace(ADDRESS, address)
                real = real.replace(GUARDED, f"-authority edge.example {second}")
                done = subprocess.run(  # noqa: S602 - the commands of our own page
                    real, shell=True, cwd=directory, capture_output=True, text=True, check=False,
                    timeout=60,
                )  # fmt: skip
                return done.stdout or done.stderr

            yield run
        finally:
            guarded.stop()


def _give_a_past(address: str) -> None:
    """Let two experiments come to their end, so that there is something to list."""
    with Client(Connection(address)) as client:
        for _ in range(2):
            fault = client.inject("database", "service_kill", duration_s=120, ramp_s=60)
            for _ in client.follow_experiment(fault.experiment_id, every_s=0.5):
                pass
            for _ in itertools.islice(client.watch(), QUIET_SNAPSHOTS):
                pass  # else the next one is recorded as a part of it
        client.set_clock(speed=10.0)


def answers(page: str, run: Run) -> Iterator[tuple[str, str, str, Any]]:
    """Run every command; gives it as on the page and as run, and its answer, there and shortened.

    Identifiers of the page stand for those that the servers gave in their place. What only reads is
    asked again until its answer has the shape of that on the page, for a while.
    """
    stand_ins: dict[str, str] = {}
    for command, expected in examples(page):
        real = command
        for old, new in stand_ins.items():
            real = real.replace(f'"{old}"', f'"{new}"')
        until = time.monotonic() + PATIENCE_S
        while True:
            found = read(run(real))
            found = shortened(found) if isinstance(found, dict) else found
            same = bool(expected) and alike(found, read(expected))
            if same or not expected or not _READS.search(command) or time.monotonic() > until:
                break
            time.sleep(0.2)
        if expected:
            stand_ins.update(_stand_ins(read(expected), found))
        yield command, real, expected, found


def _stand_ins(expected: Any, found: Any) -> dict[str, str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        pairs = [(expected[key], found[key]) for key in expected if key in found]
    elif isinstance(expected, list) and isinstance(found, list):
        pairs = list(zip(expected, found, strict=False))
    elif isinstance(expected, str) and isinstance(found, str):
        return {expected: found} if re.fullmatch(r"[\w-]*\d[\w-]*", expected) else {}
    else:
        return {}
    return {old: new for pair in pairs for old, new in _stand_ins(*pair).items()}


def _indented(answer: Any) -> str:
    return json.dumps(answer, indent=1, ensure_ascii=False)


def main() -> None:
    """Write the page anew."""
    page = PAGE.read_text()
    with servers() as run:
        for command, real, expected, found in answers(page, run):
            lines = "\n".join(found) if isinstance(found, list) else _indented(found)
            page = page.replace(
                f"```console\n$ {command}\n{expected}```", f"```console\n$ {real}\n{lines}\n```"
            )
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
