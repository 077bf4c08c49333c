"""`sre-edge`, as a script and a person call it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import topologies
from sre_edge.calls.chaos import fault_kinds
from sre_edge.quantities import duration, number, probability
from tests import processes
from tests.processes import sre_edge


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with processes.server() as address:
        yield address


def test_a_whole_story(target: str) -> None:
    assert "auth-service, user-service" in sre_edge(target, "topology").stdout
    injected = sre_edge(target, "inject", "database", "service_kill", "--for", "1h", "--json")
    fault = json.loads(injected.stdout)
    assert (fault["target"], fault["duration"]) == ("database", "3600s")
    watched = sre_edge(target, "watch", "--json", "--count", "5")
    snapshots = [json.loads(line) for line in watched.stdout.splitlines()]
    assert len(snapshots) == 5
    assert snapshots[-1]["active_faults"][0]["id"] == fault["id"]
    assert "service_kill" in sre_edge(target, "watch", "--count", "1").stdout
    predicted = json.loads(sre_edge(target, "predict", "--json", "--features").stdout)
    assert len(predicted["predictions"]) == 4
    assert len(predicted["predictions"][0]["features"]) >= 40
    assert "system:" in sre_edge(target, "predict").stdout
    assert "stopped" in sre_edge(target, "stop", fault["id"]).stdout
    assert json.loads(sre_edge(target, "reset", "--json").stdout)["run_id"]
    assert "no fault is active" in sre_edge(target, "stop", "--all").stdout


def test_the_kinds_of_faults_and_the_figures_come_from_the_catalog(target: str) -> None:
    lines = sre_edge(target, "faults").stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == fault_kinds()
    (spike,) = [line for line in lines if line.startswith("cpu_spike")]
    assert "30 % more CPU" in spike
    assert "up to 10" in spike
    first = sre_edge(target, "faults", "--json").stdout.splitlines()[0]
    assert json.loads(first)["label"] == "CPU spike"
    (line,) = sre_edge(target, "watch", "database", "--count", "1").stdout.splitlines()
    named = [word.partition("=")[0] for word in line.split()]
    assert named[3:-2] == [
        "cpu_percent", "memory_percent", "latency_ms", "error_rate_percent", "throughput_rps",
        "availability_percent",
    ]  # fmt: skip


def test_models_and_trainings(target: str) -> None:
    (line,) = sre_edge(target, "model", "list", "--json").stdout.splitlines()
    version = json.loads(line)["version"]
    assert version in sre_edge(target, "model", "list").stdout
    assert "What it learned from" in sre_edge(target, "model", "show").stdout
    shown = json.loads(sre_edge(target, "model", "show", version, "--json").stdout)
    assert shown["metrics"]["overall"]["model"]["event_recall"] > 0.0
    assert "is already live" in sre_edge(target, "model", "activate", version).stdout
    for wrong, said in (
        (("model", "activate", "2-nowhere"), f"known: {version}"),
        (("model", "show", "2-nowhere"), f"known: {version}"),
        (("train",), "training needs 2 recorded experiments"),
        (("train", "--systems", "1000"), "systems: expected 1 to 200, got 1000"),
        (("train", "--status"), "there has been no training yet"),
    ):
        refused = sre_edge(target, *wrong)
        assert refused.returncode == 2
        assert said in refused.stderr


def test_a_game_day(target: str) -> None:
    fault = json.loads(
        sre_edge(target, "inject", "database", "service_kill", "--for", "1h", "--json").stdout
    )
    number = fault["experiment_id"]
    for _ in range(30):  # an incident is known some seconds after its onset
        if "database" in sre_edge(target, "incidents", "--open").stdout:
            break
    found = json.loads(sre_edge(target, "incidents", "--json", "--count", "1").stdout)
    assert found["state"] == "INCIDENT_STATE_OPEN"
    listed = sre_edge(target, "experiments").stdout
    assert number in listed
    assert "service kill on database" in listed
    told = sre_edge(target, "experiments", number).stdout
    assert "service_kill on database" in told
    assert "api-gateway" in told
    assert "page" in sre_edge(target, "slo", "database", "--firing").stdout
    assert len(json.loads(sre_edge(target, "slo", "--json").stdout)["services"]) == 4
    assert "no fault is accepted until" in sre_edge(target, "stop", "--kill-switch").stdout
    refused = sre_edge(target, "inject", "database", "cpu_spike")
    assert (refused.returncode, "kill switch" in refused.stderr) == (2, True)
    assert sre_edge(target, "experiments", "x-1").returncode == 2
    assert "faults are accepted again" in sre_edge(target, "stop", "--lift").stdout
    assert "expected either" in sre_edge(target, "stop", "--lift", "f-1").stderr
    sre_edge(target, "reset")


def test_the_clock_and_another_topology(target: str, tmp_path: Path) -> None:
    assert sre_edge(target, "clock", "--pause", "--speed", "50").stdout.startswith("paused")
    assert json.loads(sre_edge(target, "clock", "--json").stdout) == {"paused": True, "speed": 50.0}
    assert "50 simulated seconds" in sre_edge(target, "clock", "--resume").stdout
    shop = tmp_path / "shop.yaml"
    shop.write_text("services: [{name: web, dependencies: [db]}, {name: db}]")
    assert "new run" in sre_edge(target, "reset", "--topology", str(shop)).stdout
    assert "web" in sre_edge(target, "topology").stdout
    shop.write_text("services: [{name: web, colour: red}]")
    assert (
        "topology.services[0].colour: expected one"
        in sre_edge(target, "reset", "--topology", str(shop)).stderr
    )
    assert "loop lag seconds p99" in sre_edge(target, "info").stdout
    default = Path(topologies.__file__).parent / "default.yaml"
    assert "new run" in sre_edge(target, "reset", "--topology", str(default)).stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("inject", "databse", "cpu_spike"), "Did you mean database?"),
        (("inject", "databse", "cpu_spike"), "no service is named 'databse'; known: api-gateway"),
        (("inject", "database", "cpu"), "no kind of fault is named 'cpu'. Did you mean cpu_spike"),
        (("inject", "database", "cpu_spike", "--for", "x"), "expected a duration such as 30s"),
        (("inject", "database", "cpu_spike", "--for", "0s"), "duration: expected more than 0 s"),
        (("inject", "database", "cpu_spike", "--for", "2h"), "at most 3600 s"),
        (("inject", "database", "cpu_spike", "--intensity", "nan"), "intensity: expected more"),
        (("watch", "databse"), "no service is named 'databse'"),
        (("predict", "databse"), "no service is named 'databse'"),
        (("stop", "f-99"), "no active fault has the identifier 'f-99'"),
        (("stop",), "expected either IDENTIFIER, --all,"),
        (("train", "--rounds", "9" * 12), "is not in the range 1<=x<=4294967295"),
    ],
)
def test_bad_input_is_said_and_exits_with_2(
    target: str, arguments: tuple[str, ...], expected: str
) -> None:
    done = sre_edge(target, *arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["topology", "watch", "predict", "reset"])
def test_no_server_exits_with_3_and_says_how_to_start_one(command: str) -> None:
    done = sre_edge("127.0.0.1:1", command)
    assert done.returncode == 3
    assert "no SRE Edge server answers at 127.0.0.1:1" in done.stderr
    assert "sre-edge up" in done.stderr


def test_help_teaches() -> None:
    text = sre_edge("", "--help").stdout
    for command in ("topology", "watch", "predict", "inject", "stop", "reset", "scenario", "up",
                    "faults"):  # fmt: skip
        assert command in text
        assert "Exit codes: 0 success" in sre_edge("", command, "--help").stdout
    assert "memory_leak" in sre_edge("", "inject", "--help").stdout


def test_figures_are_written_for_people() -> None:
    assert number(431.4, "ms") == "431 ms"
    assert number(1000.0, "ms") == "1000 ms"
    assert number(12_345.0, "ms") == "12.3 s"
    assert number(1234.0, "req/s") == "1.23k req/s"
    assert number(12.44, "%") == "12.4 %"
    assert number(0.0, "%") == "0 %"
    assert number(None, "%") == "–"
    assert probability(0.004) == "<1 %"
    assert probability(0.314) == "31 %"
    assert duration(80) == "1 m 20 s"
