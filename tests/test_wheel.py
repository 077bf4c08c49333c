"""What is released: what the wheel carries, and that a stranger can install and run it."""

from __future__ import annotations

import importlib.metadata
import json
import re
import signal
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.processes import QUIET, Program, free_port

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("telemetry", "simulator", "ml", "server", "dashboard", "sre_edge")
COPYLEFT = re.compile(r"\bA?GPL|GNU (Affero )?General Public", re.IGNORECASE)


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=QUIET, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "hatchling", "build", "-d", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def test_the_wheel_carries_all_files_of_its_parts_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", *PARTS)
    kept = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    assert carried == kept
    for needed in (
        "sre_edge/py.typed", "sre_edge/v1/snapshot_pb2.pyi", "ml/models/shipped/incident.onnx",
        "dashboard/assets/patch.js", "simulator/topologies/default.yaml",
        "server/store/migrations/env.py",
    ):  # fmt: skip
        assert needed in carried


def test_the_source_distribution_builds_the_same_wheel(
    built: Path, wheel: Path, tmp_path: Path
) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", cwd=unpacked)
    assert done.returncode == 0, done.stderr
    assert (unpacked / "dist" / wheel.name).read_bytes() == wheel.read_bytes()


def test_its_description_can_be_shown_by_a_registry(built: Path) -> None:
    done = run(sys.executable, "-m", "twine", "check", "--strict", *built.iterdir())
    assert done.returncode == 0, done.stdout


def test_licences_of_what_it_needs_allow_its_own() -> None:
    # Weaker copyleft (LGPL, MPL) asks nothing of a program that imports a library unchanged.
    lock = (ROOT / "requirements.lock").read_text()
    seen = 0
    for name in re.findall(r"^([a-z0-9-]+)", lock, re.MULTILINE):
        try:
            about = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another machine
        stated = [about.get("License-Expression") or about.get("License") or ""]
        stated += [one for one in about.get_all("Classifier") or [] if one.startswith("License")]
        first = [text.splitlines()[0] for text in stated if text]
        assert first or about.get_all("License-File"), f"{name} states no licence"
        for text in first:
            assert not COPYLEFT.search(text.replace("LGPL", "").replace("Lesser General", "")), name
        seen += 1
    assert seen > 50


def environment(folder: Path, *requirements: str) -> Path:
    """Make an empty environment, install into it, and give its folder of programs."""
    python = ("--python", folder / "bin" / "python")
    for command in (
        ("venv", "-q", "--python", sys.executable, folder),
        ("pip", "install", "-q", "--compile-bytecode", *python, *requirements),
        ("pip", "check", *python),
    ):
        done = run(Path(sys.executable).parent / "uv", *command, cwd=folder.parent)
        assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.mark.slow
def test_the_base_is_the_client_and_says_which_extra_a_part_needs(
    wheel: Path, tmp_path: Path
) -> None:
    programs = environment(tmp_path / "environment", str(wheel))
    python, command = programs / "python", programs / "sre-edge"
    version = importlib.metadata.version("sre-edge")
    code = "import sre_edge, sre_edge.testing, sys; print('numpy' in sys.modules)"
    assert run(python, "-c", code, cwd=tmp_path).stdout == "False\n"
    assert run(command, "--version", cwd=tmp_path).stdout == f"sre-edge, version {version}\n"
    assert "sre-edge watch" in run(command, "--help", cwd=tmp_path).stdout
    for part, extra in (
        ("server", "server"), ("dashboard", "dashboard"), ("simulator", "server"), ("ml", "server"),
    ):  # fmt: skip
        done = run(python, "-m", part, "--help", cwd=tmp_path)
        assert done.returncode == 1
        assert re.fullmatch(
            rf"the \w+ needs \w+: pip install 'sre-edge\[{extra}\]'\n", done.stderr
        ), done.stderr
    done = run(command, "up", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "up needs server,dashboard: pip install 'sre-edge[server,dashboard]'\n"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_of_it_does_the_main_job_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    command = environment(tmp_path / "environment", f"{wheel}[all]") / "sre-edge"
    address = f"127.0.0.1:{free_port()}"
    program = Program(
        "up", command=(str(command),), directory=tmp_path, SRE_EDGE_LISTEN=address,
        SRE_EDGE_METRICS_LISTEN="127.0.0.1:0", SRE_EDGE_DASHBOARD_LISTEN="127.0.0.1:0",
    )  # fmt: skip

    def client(*arguments: str) -> str:
        done = run(command, *arguments, "--target", address, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        program.expect(rf"server +grpc://{address}", 120.0)
        page = program.expect(r"dashboard +(http://\S+)", 120.0)[1]
        injected = client("inject", "database", "service_kill", "--for", "1m")
        assert "service_kill on database" in injected
        watched = client("watch", "--count", "2", "--json").splitlines()
        assert len(watched) == 2
        assert "database" in watched[0]
        answer = [json.loads(line) for line in client("predict", "database", "--json").splitlines()]
        assert answer
        with urllib.request.urlopen(page, timeout=30) as reply:  # noqa: S310 - http, from above
            assert reply.status == 200
            assert "SRE Edge" in reply.read().decode()
    finally:
        assert program.stop(signal.SIGTERM) == 0
