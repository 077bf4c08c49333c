"""`sre-edge` on a terminal, in a pipe and in a script: what it shows, and how it ends."""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from server.rpc.catalog import catalog
from simulator.topologies import shipped
from sre_edge import Client
from sre_edge.testing import Failure, FakeServer
from sre_edge.v1 import chaos_service_pb2, experiment_pb2, simulation_service_pb2
from tests import processes

PROGRAM = [str(Path(sys.executable).parent / "sre-edge")]


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with FakeServer(["web", "database"]) as fake:
        yield fake


def sre_edge(
    fake: FakeServer, *arguments: str, stdin: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {**processes.QUIET, "SRE_EDGE_TARGET": fake.target, **variables}
    return subprocess.run(
        [*PROGRAM, *arguments], input=stdin, capture_output=True, text=True, timeout=60,
        check=False, env=environment,
    )  # fmt: skip


def on_a_terminal(
    fake: FakeServer, *arguments: str, until: str, ticking: bool = True, **variables: str
) -> str:
    """What is shown on a terminal up to some text; then Ctrl-C is pressed."""
    environment = {**processes.QUIET, "TERM": "xterm", "SRE_EDGE_TARGET": fake.target, **variables}
    leader, follower = pty.openpty()
    program = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=follower, stdout=follower, stderr=follower,
        env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    shown, text = "", codecs.getincrementaldecoder("utf-8")()  # a read may end within a character
    deadline = time.monotonic() + 60.0
    while until not in shown and time.monotonic() < deadline:
        if select.select([leader], [], [], 1.0)[0]:
            shown += text.decode(os.read(leader, 4096))
        if shown and ticking:
            fake.tick(risk={"database": 0.9})
    program.send_signal(signal.SIGINT)
    ended = time.monotonic()
    while time.monotonic() < ended + 30.0:  # the rest, so that the program can write it
        try:
            if select.select([leader], [], [], 0.1)[0]:
                shown += text.decode(os.read(leader, 4096))
        except OSError:
            break
    assert program.wait(30.0) == 0, shown
    os.close(leader)
    return shown


def until_no_stream_is_open(fake: FakeServer) -> None:
    while fake.streams:  # until the test times out
        time.sleep(0.02)


def test_watch_on_a_terminal_is_a_live_table_that_ctrl_c_ends(fake: FakeServer) -> None:
    shown = on_a_terminal(fake, "watch", until="90 % critical")
    assert "service" in shown
    assert "\x1b[1;31m" in shown  # critical is red
    assert shown.count("system risk") > 1
    assert "Traceback" not in shown
    until_no_stream_is_open(fake)


def test_no_color_is_respected(fake: FakeServer) -> None:
    shown = on_a_terminal(fake, "watch", until="90 % critical", NO_COLOR="1")
    assert "90 % critical" in shown
    assert not re.search(r"\x1b\[[0-9;]*\b(3[0-8]|9[0-7])\b[0-9;]*m", shown)


def test_watch_cuts_nothing_off_where_the_terminal_is_narrow() -> None:
    names = [service.name for service in shipped("boutique").services]
    with FakeServer(names) as fake:
        fake.answers["GetCatalog"] = simulation_service_pb2.GetCatalogResponse(catalog=catalog())
        for columns, last in (("80", "throughput"), ("60", "errors"), ("200", "availability")):
            shown = on_a_terminal(fake, "watch", until="1 % low", COLUMNS=columns)
            assert "…" not in shown
            head = re.sub(r"\x1b\[[0-9;]*m", "", shown).split("service")[1].partition("\n")[0]
            assert head.split()[-2:] == [last, "risk"]


def test_watch_in_a_pipe_is_plain_lines_that_ctrl_c_ends(fake: FakeServer) -> None:
    program = processes.Program("watch", command=PROGRAM, SRE_EDGE_TARGET=fake.target)
    try:
        program.expect("service=web status=healthy")
        fake.tick(risk={"database": 0.9})
        program.expect(r"time=2030-01-01T10:00:02Z service=database .*risk=0.9000 level=critical$")
        fake.lose_streams()
        fake.begin_run()
        program.expect("trying again")
        program.expect(r"lost of run \w+: up to its end \(run ended\)")
    finally:
        assert program.stop(signal.SIGINT) == 0
    assert "\x1b" not in "".join(program.lines)
    assert "Traceback" not in "".join(program.lines)
    until_no_stream_is_open(fake)


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (Failure(grpc.StatusCode.UNAVAILABLE), 3, "Start one with: sre-edge up"),
        (Failure(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", "no"), 4, "--token-file"),
        (Failure(grpc.StatusCode.UNIMPLEMENTED), 5, "older than this client"),
        (Failure(grpc.StatusCode.INTERNAL, "INTERNAL", "a defect"), 2, "a defect"),
        (Failure(grpc.StatusCode.FAILED_PRECONDITION, "NO_PREDICTION_YET", "soon"), 2, "soon"),
    ],
)
def test_each_way_to_fail_has_its_message_and_exit_code(
    fake: FakeServer, failure: Failure, code: int, said: str
) -> None:
    fake.answers["Predict"] = failure
    done = sre_edge(fake, "predict")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    told = json.loads(sre_edge(fake, "predict", "--json").stderr)["error"]
    assert told["code"] == grpc.StatusCode(failure_code(failure)).name


def failure_code(failure: Failure) -> grpc.StatusCode:
    return next(code for code in grpc.StatusCode if code.value[0] == failure.status.code)


def test_an_old_server_ends_a_stream_too(fake: FakeServer) -> None:
    fake.unknown.add("StreamMetrics")
    done = sre_edge(fake, "watch")
    assert (done.returncode, "older than this client" in done.stderr) == (5, True)


def test_json_names_the_fields_at_fault(fake: FakeServer) -> None:
    fake.answers["InjectChaos"] = Failure(
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "duration: too long",
        violations={"duration": "too long"},
    )  # fmt: skip
    done = sre_edge(fake, "inject", "database", "cpu_spike", "--json")
    told = json.loads(done.stderr)["error"]
    assert told["reason"] == "INVALID_FIELD"
    assert told["violations"] == [{"field": "duration", "description": "too long"}]
    assert "duration: too long" in sre_edge(fake, "inject", "database", "cpu_spike").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("watc",), "watch"),
        (("predict", "--explian"), "--explain"),
        (("inject", "database", "cpu-spik"), "cpu_spike"),
        (("inject", "databse", "cpu_spike"), "database"),
        (("model", "shwo"), "show"),
    ],
)
def test_a_wrong_name_suggests_the_near_ones(
    fake: FakeServer, arguments: tuple[str, ...], said: str
) -> None:
    done = sre_edge(fake, *arguments)
    assert done.returncode == 2
    assert re.search(rf"[Dd]id you mean .*{said}", done.stderr), done.stderr


def test_the_shell_completes_commands_kinds_and_services(fake: FakeServer) -> None:
    def completed(line: str) -> list[str]:
        words = line.split(" ")
        variables = {"_SRE_EDGE_COMPLETE": "bash_complete", "COMP_WORDS": line}
        done = sre_edge(fake, COMP_CWORD=str(len(words) - 1), **variables)
        return [word.split(",")[1] for word in done.stdout.splitlines() if "," in word]

    assert completed("sre-edge sce") == ["scenario"]
    assert completed("sre-edge inject dat") == ["database"]
    assert completed("sre-edge inject database cpu") == ["cpu_spike"]
    assert completed("sre-edge predict --exp") == ["--explain"]
    fake.stop()
    assert completed("sre-edge watch dat") == []
    for shell in ("bash", "zsh", "fish"):
        assert "_SRE_EDGE_COMPLETE" in sre_edge(fake, "completion", shell).stdout


def outcome(**told: object) -> chaos_service_pb2.GetExperimentResponse:
    experiment = experiment_pb2.Experiment(
        id="x-1-1", name="leak", state=experiment_pb2.EXPERIMENT_STATE_FINISHED,
        ended_by=told.pop("ended_by", experiment_pb2.EXPERIMENT_END_COMPLETED),  # type: ignore[arg-type]
        outcome=experiment_pb2.ExperimentOutcome(**told),  # type: ignore[arg-type]
    )  # fmt: skip
    return chaos_service_pb2.GetExperimentResponse(experiment=experiment)


def test_a_scenario_is_judged_by_its_outcome(fake: FakeServer, tmp_path: Path) -> None:
    accepted = chaos_service_pb2.RunScenarioResponse()
    accepted.experiment.id = "x-1-1"
    fake.answers["RunScenario"] = accepted
    file = tmp_path / "leak.yaml"
    file.write_text("- name: leak\n")
    lost = experiment_pb2.EXPERIMENT_END_NOT_RECOVERED
    gone = experiment_pb2.EXPERIMENT_END_RUN_ENDED
    for came, codes in (
        (outcome(broken=0), {"broken": 0, "unforetold": 0, "unrecovered": 0, "never": 0}),
        (outcome(broken=2), {"broken": 1, "unforetold": 1, "unrecovered": 0, "never": 0}),
        (outcome(broken=1, foretold=True), {"broken": 1, "unforetold": 0}),
        (outcome(broken=1, ended_by=lost), {"unrecovered": 1, "never": 0}),
        (outcome(broken=0, ended_by=gone), {"broken": 1, "never": 0}),
    ):
        fake.answers["GetExperiment"] = came
        for fail_on, code in codes.items():
            done = sre_edge(fake, "scenario", str(file), "--fail-on", fail_on)
            assert done.returncode == code, (came, fail_on, done.stderr)
    assert fake.requests("RunScenario")[0].document == "- name: leak\n"
    done = sre_edge(fake, "scenario", "-", "--json", "--fail-on", "never", stdin="- name: x\n")
    assert json.loads(done.stdout)["id"] == "x-1-1"
    assert sre_edge(fake, "scenario", "/nowhere").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("scenario",), "expected text in UTF-8"),
        (("reset", "--topology"), "expected text in UTF-8"),
        (("topology", "--ca"), "expected a PEM file"),
        (("topology", "--token-file"), "expected a token of printable ASCII"),
    ],
)
def test_a_file_of_something_else_is_said(
    fake: FakeServer, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    file = tmp_path / "junk"
    file.write_bytes(bytes([0x90, 0xFF, 0x00, 0x07]))
    done = sre_edge(fake, *arguments, str(file))
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_ends_it_stops_the_faults_of_a_scenario(
    fake: FakeServer, tmp_path: Path, number: signal.Signals
) -> None:
    running = outcome(broken=0)
    running.experiment.state = experiment_pb2.EXPERIMENT_STATE_RUNNING
    accepted = chaos_service_pb2.RunScenarioResponse(experiment=running.experiment)
    fake.answers["RunScenario"], fake.answers["GetExperiment"] = accepted, running
    file = tmp_path / "leak.yaml"
    file.write_text("- name: leak\n")
    program = processes.Program("scenario", str(file), command=PROGRAM, SRE_EDGE_TARGET=fake.target)
    program.expect("x-1-1 running, broken so far: nothing")
    assert program.stop(number) == 128 + number
    assert fake.requests("StopChaos")[0].experiment_id == "x-1-1"


def test_a_scenario_on_a_real_server(tmp_path: Path) -> None:
    file = tmp_path / "kill.yaml"
    file.write_text(
        "- name: kill\n  seconds: 300\n"
        "  faults: [{target: database, kind: service_kill, start_s: 10, duration_s: 60}]\n"
    )
    with processes.server(speed=50.0) as address, FakeServer() as fake:
        fake.target, ours = address, fake.target
        done = sre_edge(fake, "scenario", str(file))
        assert (done.returncode, "failed: a service broke" in done.stderr) == (1, True)
        assert "service_kill on database" in done.stdout
        file.write_text("- {name: kill, seconds: 300, faults: [{target: databse, kind: x}]}")
        done = sre_edge(fake, "scenario", str(file))
        assert done.returncode == 2
        assert "document[0].faults[0].kind: expected one of cpu_spike" in done.stderr
        with Client(address) as client:
            assert client.metrics().active_faults == []
        fake.target = ours


def test_one_that_was_cut_short_is_not_told_as_finished(fake: FakeServer) -> None:
    gone = outcome(ended_by=experiment_pb2.EXPERIMENT_END_RUN_ENDED)
    fake.answers["GetExperiment"] = gone
    fake.answers["ListExperiments"] = chaos_service_pb2.ListExperimentsResponse(
        experiments=[gone.experiment]
    )
    listed = sre_edge(fake, "experiments").stdout
    shown = sre_edge(fake, "experiments", "x-1-1").stdout
    for said in (listed, shown):
        assert "cut short" in said
        assert "nothing until then" in said
        assert "finished" not in said
    assert "its run ended first" in shown
