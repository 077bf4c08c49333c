"""Programs that are measured, in processes of their own, and what the system says of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CORES = os.sched_getaffinity(0)
QUIET = {key: value for key, value in os.environ.items() if not key.startswith("SRE_EDGE_")}


class Program:
    """A program that says on which port it listens.

    Attributes
    ----------
    port
        The number after the pattern.
    """

    def __init__(self, *command: str, pattern: str = r"port (\d+)", **variables: str) -> None:
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**QUIET, **variables},
        )  # fmt: skip
        os.sched_setaffinity(self._process.pid, CORES - os.sched_getaffinity(0) or CORES)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(pattern, line):
                self.port = int(found[1])
                # Read on, or a program that says much waits for its pipe.
                threading.Thread(target=self._process.stdout.read, daemon=True).start()
                return
        raise RuntimeError(f"{' '.join(command)} ended before it listened")

    @property
    def cpu_s(self) -> float:
        """CPU time that it has taken so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    @property
    def resident_mb(self) -> float:
        """Memory that it holds."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        assert found
        return int(found[1]) / 1024.0

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)


@contextmanager
def on_one_core() -> Iterator[None]:
    """Keep to one core, and each `Program` that is started meanwhile to the others.

    As on two machines: a program that is moved to another core finds nothing in its caches.
    """
    os.sched_setaffinity(0, {min(CORES)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


@contextmanager
def running(*command: str, **options: str) -> Iterator[Program]:
    """Run a program."""
    program = Program(*command, **options)
    try:
        yield program
    finally:
        program.stop()


@contextmanager
def server(data: Path, *arguments: str) -> Iterator[Program]:
    """Run our server."""
    free = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data", str(data))
    command = (sys.executable, "-m", "server", *free, *arguments)
    with running(*command, pattern=r"grpc://127\.0\.0\.1:(\d+)") as program:
        yield program
