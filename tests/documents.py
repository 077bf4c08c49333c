"""Runs the documents: takes the fenced blocks out of a page and does what they say.

A page is a run of its own, in a copy of the tree, from top to bottom. The language of a block says
what it is, and marks after it, which a reader of the page does not see, what else there is to know:

- `sh`: a script. `console`: commands after "$ ", and what they print. `python`: a program.
- `file=NAME`: the block is written to that file.
- `background=NAME`: the command goes on while the page does; what the block shows is waited for.
  The same name again ends it by Ctrl-C before, as the page says.
- `prints=NAME`: what a program in the background has printed by now, or will soon.
- `code=N`: the exit code of the last command, if not 0.
- `needs=PROGRAM`: without that program, or an system behind it, the block is left out. What needs
  Docker takes the ports as they are written.
- `elsewhere=FILE`: run by that file, and not here.

What is shown is what one run printed. The words have to be the same in another; a word with a
digit in it is as good as any other such word, and "…" stands for what may be there, in a line or as
lines.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.processes import QUIET, Program, free_port

ROOT = Path(__file__).resolve().parent.parent
PORTS = ("50051", "9464", "8050", "8786")
"""Ports that pages name; each stands for a free one."""

COMMANDS = ("sh", "console", "python")
ELLIPSIS = "…"
PATIENCE_S = 300.0

_FENCE = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NUMBERED = re.compile(r"[^\s=]*\d[^\s=]*")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes
    ----------
    place
        File and line.
    language, marks
        What follows the fence.
    text
        What is in it.
    """

    place: str
    language: str
    marks: dict[str, str]
    text: str

    def commands(self) -> list[tuple[str, str]]:
        """Give its commands, each with what is shown after it."""
        if self.language == "sh":
            return [(self.text, "")]
        parts = re.findall(
            r"^\$ ((?:.*\\\n)*.*\n)((?:(?!\$ ).*\n)*)", self.text, re.MULTILINE
        )  # fmt: skip
        return [(command, shown) for command, shown in parts]


def blocks(page: Path) -> list[Block]:
    """Take the blocks out of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        marks = dict(mark.partition("=")[::2] for mark in match[2].split())
        found.append(Block(f"{page.name}:{line}", match[1] or "", marks, match[3]))
    return found


class Run:
    """One run through a page.

    Parameters
    ----------
    directory
        Where the copy of the tree goes.
    replaced
        Texts of commands and what stands for them here, ports aside.
    variables
        Of the environment of all commands.
    """

    def __init__(self, directory: Path, replaced: dict[str, str], **variables: str) -> None:
        self._tree, self._state = directory / "tree", directory / "state"
        _copy(self._tree)
        self._state.touch()
        self._replaced = replaced | {port: str(free_port()) for port in PORTS}
        grpc, metrics, dashboard, _ = (self._replaced[port] for port in PORTS)
        self._variables = {
            "PATH": os.pathsep.join((QUIET["PATH"], str(Path.home() / "go" / "bin"))),
            "COLUMNS": "200",
            "SRE_EDGE_TARGET": f"127.0.0.1:{grpc}",
            "SRE_EDGE_LISTEN": f"127.0.0.1:{grpc}",
            "SRE_EDGE_METRICS_LISTEN": f"127.0.0.1:{metrics}",
            "SRE_EDGE_DASHBOARD_LISTEN": f"127.0.0.1:{dashboard}",
            "SRE_EDGE_DATA": str(directory / "data"),
            **variables,
        }
        self._background: dict[str, Program] = {}

    def do(self, block: Block) -> None:
        """Do what a block says; fails if it comes to something else."""
        name = block.marks.get("file")
        if name is not None:
            (self._tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self._tree / name).write_text(self._here(block.text, block), encoding="utf-8")
        elif "prints" in block.marks:
            self._wait(block.marks["prints"], block.text)
        elif block.language not in COMMANDS or not _is_done_here(block):
            return
        elif "background" in block.marks:
            ((command, shown),) = block.commands()
            self._begin(block, command)
            self._wait(block.marks["background"], shown)
        elif block.language == "python":
            program = f".venv/bin/python - <<'PROGRAM'\n{block.text}PROGRAM"
            self._command(block, program, "")
        else:
            *before, (last, shown) = block.commands()
            for command, printed in before:
                self._command(block, command, printed)
            self._command(block, last, shown, int(block.marks.get("code", 0)))

    def close(self) -> None:
        """End what goes on in the background, the last first."""
        for name in reversed(list(self._background)):
            self._end(name)

    def _command(self, block: Block, command: str, shown: str, code: int = 0) -> None:
        command = self._here(command.rstrip(), block)
        done = subprocess.run(
            ["bash", "-c", self._script(command) + f"\nexport -p >{self._state}"],
            cwd=self._tree, env=QUIET | self._variables, timeout=1500, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said = f"{block.place}: $ {command}\n{done.stdout}"
        assert done.returncode == code, f"exit code {done.returncode} of {said}"
        if shown:
            assert follows(shown, done.stdout.splitlines()), f"expected\n{shown}\nof {said}"

    def _begin(self, block: Block, command: str) -> None:
        name = block.marks["background"]
        if name in self._background:
            self._end(name)
        script = self._script(self._here(command, block))
        self._background[name] = Program(
            "-c", script, command=("bash",), directory=self._tree, **self._variables
        )

    def _wait(self, name: str, shown: str) -> None:
        program = self._background[name]
        program.until(
            lambda: follows(f"{ELLIPSIS}\n{shown}{ELLIPSIS}\n", program.lines), PATIENCE_S
        )

    def _end(self, name: str) -> None:
        program = self._background.pop(name)
        os.killpg(program.process.pid, signal.SIGINT)  # as a terminal does
        program.stop(signal.SIGINT)

    def _script(self, command: str) -> str:
        return f"set -aeo pipefail\n. {self._state}\n{command}"

    def _here(self, text: str, block: Block) -> str:
        if block.marks.get("needs") != "docker":
            for stated, real in self._replaced.items():
                text = text.replace(stated, real)
        return text


def follows(shown: str, lines: list[str]) -> bool:
    """Whether lines are those that are shown; see above for what is taken as the same."""
    pattern = ""
    for line in shown.splitlines():
        if line.strip() == ELLIPSIS:
            pattern += r"(?:.*\n)*?"
        else:
            pattern += re.escape(_alike(line)).replace(ELLIPSIS, ".*") + r" ?\n"
    text = "".join(_alike(line) + "\n" for line in lines)
    return re.fullmatch(pattern, text) is not None


def _alike(line: str) -> str:
    return " ".join(_NUMBERED.sub("0", line).split())


def _copy(directory: Path) -> None:
    """Copy the tree as git sees it, what is not committed yet included."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    (directory / ".venv").symlink_to(sys.prefix)


def _is_done_here(block: Block) -> bool:
    needed = block.marks.get("needs")
    return "elsewhere" not in block.marks and (needed is None or _usable(needed))


def _usable(name: str) -> bool:
    """Whether a program is there; of Docker, whether an system answers."""
    if shutil.which(name) is None:
        return False
    if name != "docker":
        return True
    asked = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=30)
    return asked.returncode == 0
