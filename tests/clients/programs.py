"""The clients in other languages: how each is built and run."""

from __future__ import annotations

import fcntl
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests import processes
from tests.clients.contract import REPOSITORY
from tests.conftest import tool

TOOLCHAINS = {"go": ("go",), "typescript": ("node", "npm"), "java": ("javac", "mvn")}
COMMANDS = {
    "go": ("clients/go/build/sre-edge-go",),
    "typescript": ("node", "clients/typescript/build/source/main.js"),
    "java": ("java", "-XX:TieredStopAtLevel=1", "-jar", "clients/java/target/sre-edge.jar"),
}


@dataclass(frozen=True)
class Client:
    """A program in another language."""

    language: str

    def run(
        self, *arguments: str, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [*COMMANDS[self.language], *arguments], cwd=REPOSITORY, input=stdin, text=True,
            capture_output=True, timeout=120, check=False, env={**processes.QUIET, **variables},
        )  # fmt: skip

    def start(self, *arguments: str, **variables: str) -> processes.Program:
        """Start it in the background."""
        return processes.Program(
            *arguments, command=COMMANDS[self.language], directory=REPOSITORY, **variables
        )


def build(language: str, run_folder: Path) -> Client:
    """Build a client with its one command, once in a run of all workers.

    Skips where its toolchain is missing. `run_folder` is one that all workers share.
    """
    for name in TOOLCHAINS[language]:
        tool(name)
    built = run_folder / f"built-{language}"
    with (run_folder / f"building-{language}").open("w") as building:
        fcntl.flock(building, fcntl.LOCK_EX)
        if not built.exists():
            done = subprocess.run(
                ["make", f"client-{language}"], cwd=REPOSITORY, capture_output=True, text=True,
                check=False, env={**os.environ, "MAKEFLAGS": ""},
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            built.touch()
    return Client(language)
