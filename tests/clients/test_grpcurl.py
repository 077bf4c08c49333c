"""grpcurl: the commands of docs/api.md, and the scripts in clients/grpcurl."""

from __future__ import annotations

import json
import re
import runpy
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.rpc.registration import SERVICES
from sre_edge import Client
from tests import partly_observed, processes
from tests.certificates import Authority
from tests.clients.contract import PARTLY_OBSERVED, REPOSITORY, check
from tests.conftest import tool

SCRIPTS = REPOSITORY / "clients" / "grpcurl"
PAGE = (REPOSITORY / "docs" / "api.md").read_text()


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    for name in ("grpcurl", "jq"):
        tool(name)


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with processes.server(speed=50.0) as address:
        yield address


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_of_the_page_gets_the_answer_that_it_shows() -> None:
    script = runpy.run_path(str(REPOSITORY / "docs" / "answers.py"))
    examples = script["examples"](PAGE)
    commands = [command for command, _ in examples]
    for service in SERVICES:
        for method in service.methods:
            name = f"{service.full_name}/{method.name}"
            assert any(command.endswith(name) for command in commands), name
    assert any("-cacert" in command and "authorization" in command for command in commands)
    assert len(re.findall(r"^\$ grpcurl", PAGE, re.MULTILINE)) == len(examples)
    wrong = []
    with script["servers"]() as run:
        for command, _, expected, found in script["answers"](PAGE, run):
            assert expected.strip(), f"no answer is shown: {command}"
            documented = script["read"](expected)
            if not script["alike"](found, documented):
                wrong.append((command, script["shape"](documented), script["shape"](found)))
    assert not wrong


def test_a_wrong_shape_is_noticed() -> None:
    script = runpy.run_path(str(REPOSITORY / "docs" / "answers.py"))
    alike = script["alike"]
    assert alike({"a": [{"b": 1}]}, {"a": [{"b": 2.5}]})
    assert not alike({"a": [{"b": 1}]}, {"a": [{"c": 1}]})
    assert not alike({"a": "1"}, {"a": 1})
    assert not alike({"a": 1}, {"a": 1, "b": 1})
    assert not alike(["x"], ["y"])


def script(name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPTS / name, *arguments], capture_output=True, text=True, timeout=240, check=False,
        env={**processes.QUIET, "PATH": path(), **variables},
    )  # fmt: skip


def path() -> str:
    return f"{Path(tool('grpcurl')).parent}:{processes.QUIET['PATH']}"


def test_a_game_day_breaks_each_service_and_says_what_it_led_to(target: str) -> None:
    done = script("game-day.sh", "SERVICE_KILL", "20s", SRE_EDGE_TARGET=target)
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"service kill on {name}"
        for name in ("api-gateway", "auth-service", "user-service", "database")
    ], done.stderr
    assert all("broke api-gateway" in line for line in lines)
    surprised = [line for line in lines if "foretold" not in line]
    assert done.returncode == (1 if surprised else 0)
    script_lines = (SCRIPTS / "game-day.sh").read_text().splitlines()
    assert len(script_lines) <= 30


def test_a_watch_on_risk_ends_with_an_alarm(target: str) -> None:
    done = script("watch-risk.sh", "0", SRE_EDGE_TARGET=target)
    assert done.returncode == 1
    assert re.fullmatch(r"\S+Z \S+ [\d.e-]+ ALARM\n", done.stdout)
    with Client(target) as client:
        client.inject("database", "service_kill", duration_s=600, ramp_s=300)
        done = script("watch-risk.sh", SRE_EDGE_TARGET=target)
        client.stop_all()
    assert done.returncode == 1
    assert done.stdout.count("ALARM") == 1


def test_it_goes_on_without_one_and_leaves_no_stream(target: str) -> None:
    command = [str(SCRIPTS / "watch-risk.sh")]
    program = processes.Program(
        "2", "database", command=command, SRE_EDGE_TARGET=target, PATH=path()
    )
    program.until(lambda: len(program.lines) > 5)
    program.stop(signal.SIGTERM)
    assert all(re.fullmatch(r"\S+Z database [\d.e-]+\n", line) for line in program.lines)
    with Client(target) as client:
        while client.info().figures.streams:  # until the test times out
            pass


@pytest.mark.parametrize("name", ["game-day.sh", "watch-risk.sh"])
def test_a_server_that_is_away_is_exit_code_2(name: str) -> None:
    done = script(name, SRE_EDGE_TARGET="127.0.0.1:1")
    assert done.returncode == 2
    assert "127.0.0.1:1" in done.stderr


def test_they_take_tls_and_the_token(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("edge")
    token_file = tmp_path / "token"
    token_file.write_text("correct-horse-battery")
    program = processes.Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--speed", "20", SRE_EDGE_TLS_CERT=str(certificate), SRE_EDGE_TLS_KEY=str(key),
        SRE_EDGE_TOKEN_FILE=str(token_file),
    )  # fmt: skip
    try:
        known = {
            "SRE_EDGE_TARGET": program.expect(r"grpcs://(\S+)")[1],
            "SRE_EDGE_CA": str(authority.certificate),
        }
        let_in = script("watch-risk.sh", "0", SRE_EDGE_TOKEN_FILE=str(token_file), **known)
        assert (let_in.returncode, "ALARM" in let_in.stdout) == (1, True), let_in.stderr
        refused = script("watch-risk.sh", **known)
        assert refused.returncode == 2
        assert "authorization: Bearer" in refused.stderr
    finally:
        program.stop()


def test_it_shows_what_is_not_observed_as_nan(tmp_path: Path) -> None:
    with partly_observed.server(tmp_path) as app:
        for order in PARTLY_OBSERVED:
            if "messages" not in order:
                request = json.dumps(order["request"])
                done = subprocess.run(
                    [tool("grpcurl"), "-plaintext", "-d", request, app.address, order["call"]],
                    capture_output=True, text=True, timeout=60, check=True,
                )  # fmt: skip
                check(order, {"answers": [json.loads(done.stdout)]})


def test_the_contract_covers_every_call() -> None:
    contract = json.loads((REPOSITORY / "clients" / "contract.json").read_text())
    covered = {order["call"] for order in contract}
    for service in SERVICES:
        for method in service.methods:
            assert f"{service.full_name}/{method.name}" in covered
