"""Makes a release: checks, builds, commits and tags. It pushes nothing.

`make release VERSION=1.2.3`, and with `FLAGS=--dry-run` to see what it would do. The version is
stated in `pyproject.toml` alone; everything else asks the installed package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

ROOT = Path.cwd()
BIN = Path(sys.executable).parent
PROJECT, CHANGES, API = (
    ROOT / "pyproject.toml",
    ROOT / "CHANGELOG.md",
    Path("protos/released.binpb"),
)
VERSION = re.compile(r'^version = "(.+)"$', re.MULTILINE)
UNRELEASED = re.compile(r"^## \[?Unreleased\]?\n(.*?)(?=^## |^\[|\Z)", re.MULTILINE | re.DOTALL)


@click.command()
@click.argument("version")
@click.option("--dry-run", is_flag=True, help="Check, say what would be done, and do nothing.")
@click.option("--without-gate", is_flag=True, help="Leave out .ci/run: only to test this program.")
def main(version: str, dry_run: bool, without_gate: bool) -> None:
    """Release VERSION (x.y.z) of what is on main."""
    problems = list(checked(version))
    if problems:
        sys.exit("\n".join(problems))
    began = int(time.time())
    steps = [
        f"set the version to {version} in pyproject.toml, and the date in CHANGELOG.md",
        f"write the API to {API}",
        "run the gate, .ci/run" if not without_gate else "leave out the gate",
        "build wheel and source distribution into dist/, twice, compare and check them",
        f"commit, and tag v{version}",
    ]
    if dry_run:
        print(*(f"would {step}" for step in steps), sep="\n")
        return
    try:
        say(steps[0])
        state(version, began)
        say(steps[1])
        run(BIN / "buf", "build", "--exclude-source-info", "-o", API.name, cwd=API.parent)
        say(steps[2])
        if not without_gate:
            run(".ci/run")
        say(steps[3])
        build(began)
    except BaseException:
        run("git", "checkout", "--quiet", "--", ".")
        print("nothing was released, and all files are as they were", file=sys.stderr)
        raise
    say(steps[4])
    run("git", "commit", "--quiet", "--all", "-m", f"Release {version}", epoch=began)
    run("git", "tag", "--annotate", f"v{version}", "-m", f"SRE Edge {version}", epoch=began)
    print(f"released {version}; to publish it: git push --follow-tags, and upload dist/")


def checked(version: str) -> list[str]:
    """Say what stands against a release, each in a sentence."""
    problems = []
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return [f"expected a version x.y.z, got {version}"]
    present = stated()
    if numbers(version) <= numbers(present):
        problems.append(f"{version} does not come after {present}, which pyproject.toml states")
    if (branch := output("git", "branch", "--show-current")) != "main":
        problems.append(f"releases are made on main, this is {branch or 'no branch'}")
    if output("git", "status", "--porcelain"):
        problems.append("there are changes that are not committed: git status")
    if output("git", "tag", "--list", f"v{version}"):
        problems.append(f"there is a tag v{version} already")
    found = UNRELEASED.search(CHANGES.read_text())
    if found is None or not re.search(r"^- ", found[1], re.MULTILINE):
        problems.append("CHANGELOG.md has nothing under Unreleased")
    return problems


def stated() -> str:
    """Give the version that `pyproject.toml` states."""
    found = VERSION.search(PROJECT.read_text())
    assert found, "pyproject.toml states no version"
    return found[1]


def numbers(version: str) -> tuple[int, ...]:
    """Give the numbers of a version, to be compared."""
    return tuple(int(number) for number in version.split("."))


def state(version: str, began: int) -> None:
    """Write the version, and give what was unreleased its version and date."""
    PROJECT.write_text(VERSION.sub(f'version = "{version}"', PROJECT.read_text(), count=1))
    day = datetime.fromtimestamp(began, UTC).date()
    heads = f"## [Unreleased]\n\n## [{version}] - {day}\n"
    CHANGES.write_text(UNRELEASED.sub(lambda found: heads + found[1], CHANGES.read_text(), count=1))


def build(began: int) -> None:
    """Build twice, and keep the files if both are the same and a registry would take them."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        for folder in (one, other):
            run(sys.executable, "-m", "hatchling", "build", "-d", folder, epoch=began)
        built = sorted(Path(one).iterdir())
        for path in built:
            if path.read_bytes() != (Path(other) / path.name).read_bytes():
                sys.exit(f"{path.name} differs from one build to the next")
        run(sys.executable, "-m", "twine", "check", "--strict", *built)
        shutil.rmtree("dist", ignore_errors=True)
        shutil.copytree(one, "dist")


def run(*command: str | Path, cwd: Path = ROOT, epoch: int | None = None) -> None:
    """Run a program; one that fails ends this one. Builds and commits are dated by `epoch`."""
    at = {} if epoch is None else {
        "SOURCE_DATE_EPOCH": str(epoch),
        "GIT_COMMITTER_DATE": f"{epoch} +0000",
        "GIT_AUTHOR_DATE": f"{epoch} +0000",
    }  # fmt: skip
    words = [str(word) for word in command]
    if subprocess.run(words, cwd=cwd, env={**os.environ, **at}, check=False).returncode:
        sys.exit(f"failed: {' '.join(words)}")


def output(*command: str) -> str:
    """Run a program, and give what it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def say(step: str) -> None:
    """Print what is done now."""
    print(step, flush=True)


if __name__ == "__main__":
    main()
