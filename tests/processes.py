"""Real programs in processes of their own."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

QUIET = {key: value for key, value in os.environ.items() if not key.startswith("SRE_EDGE_")}
"""An environment without settings."""


STATED_PORTS = range(16_384, 32_768)
"""Below those that the kernel gives to whoever asks for any, and so to no other test meanwhile."""


def free_port() -> int:
    """Find a port on loopback that nobody listens on."""
    while True:
        port = random.choice(STATED_PORTS)
        with socket.socket() as probing, contextlib.suppress(OSError):
            probing.bind(("127.0.0.1", port))
            return port


class Program:
    """A program that prints one line when it is ready.

    Parameters
    ----------
    arguments
        Of the Python interpreter.
    command
        What is run with them, if not the Python interpreter.
    directory
        Where.
    variables
        Of its environment. Its records are gone with it, unless SRE_EDGE_DATA says where they are.
    """

    def __init__(
        self,
        *arguments: str,
        command: Sequence[str] = (sys.executable,),
        directory: Path | None = None,
        **variables: str,
    ) -> None:
        self._data = tempfile.TemporaryDirectory(prefix="sre-edge-")
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**QUIET, "SRE_EDGE_DATA": self._data.name, **variables},
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def expect(self, pattern: str, seconds: float = 60.0) -> re.Match[str]:
        """Wait for a line that matches."""
        found: list[re.Match[str]] = []

        def seen() -> bool:
            found[:] = [m for line in self.lines if (m := re.search(pattern, line))]
            return bool(found) or self.process.poll() is not None

        with self._changed:
            self._changed.wait_for(seen, seconds)
        assert found, f"no line matches {pattern!r} in:\n" + "".join(self.lines)
        return found[0]

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until its lines fulfil a condition."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), "".join(self.lines[-5:])

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 20.0) -> int:
        """Signal the program and wait for its end; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._reader.join(5.0)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._data.cleanup()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


@contextlib.contextmanager
def frozen(program: Program) -> Iterator[None]:
    """Let a program do nothing for a while, as one that the machine does not run."""
    program.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        program.process.send_signal(signal.SIGCONT)


def wait_until(condition: Callable[[], Found], seconds: float = 60.0) -> Found:
    """Ask again and again until the answer is not empty; give it."""
    ends = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def server(listen: str = "127.0.0.1:0", speed: float = 20.0, **variables: str) -> Iterator[str]:
    """Run `python -m server` with `SRE_EDGE_*` variables; gives its address."""
    with server_program(listen, speed, **variables) as (address, _):
        yield address


@contextlib.contextmanager
def server_program(
    listen: str = "127.0.0.1:0", speed: float = 20.0, **variables: str
) -> Iterator[tuple[str, Program]]:
    """Run a server as `server` does; gives its address, and its process."""
    program = Program(
        "-m", "server", "--listen", listen, "--metrics-listen", "127.0.0.1:0",
        "--speed", str(speed), **variables,
    )  # fmt: skip
    try:
        yield program.expect(r"grpc://(\S+)")[1], program
    finally:
        program.stop()


@contextlib.contextmanager
def dashboard(target: str, **variables: str) -> Iterator[str]:
    """Run `python -m dashboard` with `SRE_EDGE_*` variables; gives its URL."""
    program = Program("-m", "dashboard", "--listen", "127.0.0.1:0", "--target", target, **variables)
    try:
        yield program.expect(r"dashboard +(\S+)")[1]
    finally:
        program.stop()


def sre_edge(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line client, as a script does."""
    return subprocess.run(
        [sys.executable, "-c", "from sre_edge.cli import main; main()", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
        env={**QUIET, "SRE_EDGE_TARGET": target},
    )  # fmt: skip
