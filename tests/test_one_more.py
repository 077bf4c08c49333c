"""A metric and a kind of fault are added by four edits each, and arrive everywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.faults import FaultKind

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("telemetry", "simulator", "ml", "server", "sre_edge", "dashboard", "protos")

METRIC = "busy_workers"
A_METRIC = {
    "telemetry/metrics.py": (
        '    Metric(\n        "incident_probability"',
        '    Metric("busy_workers", Kind.RESOURCES, "", "Busy workers", "Workers that are busy.",\n'
        "           _BY_TIME, higher_is_worse=True, overview=True, chart=True),\n",
    ),
    "telemetry/frame.py": (
        "    edge_call_rate_rps: FloatArray\n",
        "    busy_workers: FloatArray\n",
    ),
    "simulator/observation/observer.py": (
        '                    "edge_call_rate_rps": ',
        '                    "busy_workers": sums.busy / sums.steps,\n',
    ),
    "protos/sre_edge/v1/snapshot.proto": (
        "  // Prediction for this service. Unset while",
        "  // Workers that are busy.\n  optional double busy_workers = 17;\n",
    ),
}
FAULT = "noisy_neighbour"
A_FAULT = {
    "telemetry/faults.py": (
        "\n\nclass Target(Flag):",
        '    NOISY_NEIGHBOUR = "noisy_neighbour"\n',
    ),
    "simulator/faults/effects.py": (
        "    FaultKind.CPU_SPIKE: _adds(",
        '    FaultKind.NOISY_NEIGHBOUR: _adds("background_cpu"),\n',
    ),
    "protos/sre_edge/v1/fault.proto": (
        "  // Requests of 1.5 x i times its capacity flood",
        "  // Others take 15 x i percent of the CPU.\n  FAULT_KIND_NOISY_NEIGHBOUR = 11;\n",
    ),
}
A_FAULTS_ROW = (
    "    FaultKind.CPU_SPIKE: FaultDefinition(",
    "    FaultKind.NOISY_NEIGHBOUR: FaultDefinition(\n"
    '        "Noisy neighbour", 15.0, "%", "others take {amount} of its CPU"\n    ),\n',
)
"""Goes into `telemetry/faults.py`, too; the fourth file is README.md, which counts the kinds."""


def insert(path: Path, before: str, text: str) -> None:
    """Put a text before another one, which is there once."""
    content = path.read_text()
    assert content.count(before) == 1, (path.name, before)
    path.write_text(content.replace(before, text + before))


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_four_files_each_and_they_arrive_everywhere(copy: Path) -> None:
    assert len(A_METRIC) == len(A_FAULT) + 1 == 4
    assert f"[{len(FaultKind)} kinds]" in (ROOT / "README.md").read_text()
    for file, (before, text) in {**A_METRIC, **A_FAULT}.items():
        insert(copy / file, before, text)
    insert(copy / "telemetry/faults.py", *A_FAULTS_ROW)
    shutil.copy(ROOT / "tests/one_more.py", copy)
    done = run(copy, "one_more.py", METRIC, FAULT)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert all(value > 0.0 for value in told["frame"])
    assert told["snapshot"] > 0.0
    assert told["history"] > 0.0
    assert told["exported"]
    assert f"{METRIC}=" in told["watched"]
    assert METRIC in told["charted"]
    assert told["fault"] == 11
    assert "others take 15 % of its CPU" in told["listed"]
    assert "Noisy neighbour" in told["offered"]
    assert told["said"].replace("\N{NO-BREAK SPACE}", " ") == (
        "Noisy neighbour: others take 30 % of its CPU."
    )


def test_a_step_that_is_forgotten_is_said_at_once(copy: Path) -> None:
    insert(copy / "telemetry/faults.py", *A_FAULT["telemetry/faults.py"])
    done = run(copy, "-c", "import telemetry.faults")
    assert done.returncode != 0
    assert "FAULTS says nothing of noisy_neighbour" in done.stderr
