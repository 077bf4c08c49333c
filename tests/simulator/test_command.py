"""`python -m simulator run`, as a user calls it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

from simulator.topology.file import load_topology
from simulator.topology.generator import random_topology


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator", "run", *arguments],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_json_and_csv_hold_what_the_contract_says(tmp_path: Path) -> None:
    table, report = tmp_path / "run.csv", tmp_path / "run.json"
    result = simulate(
        "--seconds", "60", "--copies", "3", "--warmup", "20", "--seed", "4",
        "--fault", "database:service_kill:30:20", "--json", str(report), "--csv", str(table),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    figures = json.loads(report.read_text())
    assert (figures["topology"], figures["seconds"], figures["copies"]) == ("default", 60, 3)
    database = figures["services"]["database"]
    assert set(database["latency_ms"]) == {"mean", "p50", "p95", "p99"}
    assert 0 < database["utilization"] <= 1
    assert database["availability_percent"] < 60
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 3 * 30 * 4
    assert list(rows[0])[:3] == ["copy", "t_s", "service"]


def test_the_same_seed_prints_the_same() -> None:
    runs = [simulate("--seconds", "20", "--seed", "9", "--json", "-").stdout for _ in range(2)]
    assert runs[0] == runs[1]
    assert json.loads(runs[0])


def test_bad_input_is_named_without_a_stack_trace(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("services: [{name: a, colour: red}]")
    for arguments, expected in (
        (("--fault", "database:service_kil:1:2"), "did you mean 'service_kill'?"),
        (("--fault", "database:cpu_spike:1"), "TARGET:KIND:START_S:DURATION_S"),
        (("--topology", str(broken)), "services[0].colour: expected one of the keys"),
        (("--warmup", "900"), "--warmup: expected less than"),
        (("--seconds", "30", "--fault", "database:service_kill:500:20"), "the end of the run, 30"),
        (("--seconds", "nan"), "--seconds"),
    ):
        result = simulate(*arguments)
        assert result.returncode == 2
        assert expected in result.stderr
        assert "Traceback" not in result.stderr


def test_a_generated_system_runs_from_yaml_and_from_json(tmp_path: Path) -> None:
    for name in ("system.yaml", "system.json"):
        path = tmp_path / name
        subprocess.run(
            [sys.executable, "-m", "simulator", "generate", "--services", "12", "--seed", "4",
             "--out", str(path)],
            check=True, timeout=60,
        )  # fmt: skip
        assert load_topology(path).services == random_topology(12, 4).services
