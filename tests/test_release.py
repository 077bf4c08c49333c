"""`make release`, in a clone of this repository."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEXT = "97.0.1"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(ROOT), str(folder))
    git(folder, "checkout", "--quiet", "-B", "main")
    git(folder, "config", "user.name", "Somebody")
    git(folder, "config", "user.email", "somebody@example.org")
    changes = folder / "CHANGELOG.md"
    changes.write_text(changes.read_text().replace("\n### Added\n", "\n### Added\n- News.\n", 1))
    git(folder, "commit", "--quiet", "--all", "--allow-empty", "-m", "News")
    return folder


def release(folder: Path, version: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/release.py", version, "--without-gate", *flags],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_release_is_dated_built_committed_and_tagged(clone: Path) -> None:
    before = git(clone, "rev-parse", "HEAD")
    done = release(clone, NEXT)
    assert done.returncode == 0, done.stderr
    assert git(clone, "rev-parse", "HEAD^") == before
    assert git(clone, "cat-file", "-t", f"v{NEXT}") == "tag"
    assert git(clone, "rev-parse", f"v{NEXT}^{{commit}}") == git(clone, "rev-parse", "HEAD")
    assert git(clone, "status", "--porcelain") == ""
    assert f'\nversion = "{NEXT}"\n' in (clone / "pyproject.toml").read_text()
    changes = (clone / "CHANGELOG.md").read_text()
    assert re.search(
        rf"## \[Unreleased\]\n\n## \[{NEXT}\] - \d{{4}}-\d\d-\d\d\n\n### \w+\n- ", changes
    )
    assert sorted(path.name for path in (clone / "dist").iterdir()) == [
        f"sre_edge-{NEXT}-py3-none-any.whl", f"sre_edge-{NEXT}.tar.gz",
    ]  # fmt: skip
    again = release(clone, NEXT)
    assert again.returncode == 1
    assert f"there is a tag v{NEXT} already" in again.stderr
    assert "nothing under Unreleased" in again.stderr


def test_a_dry_run_says_what_it_would_do_and_does_nothing(clone: Path) -> None:
    before = git(clone, "rev-parse", "HEAD")
    done = release(clone, NEXT, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"would commit, and tag v{NEXT}" in done.stdout
    assert git(clone, "rev-parse", "HEAD") == before
    assert git(clone, "status", "--porcelain", "--ignored") == ""
    assert git(clone, "tag", "--list") == ""


def test_what_is_not_fit_for_a_release_is_refused(clone: Path) -> None:
    assert "expected a version x.y.z" in release(clone, "1.0").stderr
    assert "does not come after" in release(clone, "0.0.1").stderr
    (clone / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    git(clone, "checkout", "--quiet", "-b", "side")
    done = release(clone, NEXT)
    assert done.returncode == 1
    for problem in ("this is side", "not committed", "nothing under Unreleased"):
        assert problem in done.stderr


def test_what_fails_leaves_everything_as_it_was(clone: Path) -> None:
    (clone / "protos" / "sre_edge" / "v1" / "clock.proto").write_text("no proto")
    git(clone, "commit", "--quiet", "--all", "-m", "A defect")
    done = release(clone, NEXT)
    assert done.returncode == 1
    assert "nothing was released" in done.stderr
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "tag", "--list") == ""
