"""What it takes to start the client and its command line, each time in a process of its own.

`python -m benchmarks.client` prints its figures.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Part, compared, limited, progress
from benchmarks.report import show

IMPORT_LIMIT_S, RUNS = 0.3, 15
IMPORTED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def import_s(module: str) -> float:
    """Time that a fresh Python takes to import a module."""
    command = [sys.executable, "-c", IMPORTED.format(module)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def run_s(*command: str) -> float:
    """Time that a program takes from start to end."""
    began = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - began


def measure(*, quick: bool = False) -> Part:
    """Measure imports beside the limit and gRPC's own, and the command line beside Python."""
    script = str(Path(sys.executable).with_name("sre-edge"))
    imports, grpc, command, bare = [], [], [], []
    progress("client: imports and the command line")
    for _ in range(2 if quick else RUNS):
        imports.append(import_s("sre_edge"))
        grpc.append(import_s("grpc, grpc.aio"))
        command.append(run_s(script, "--version"))
        bare.append(run_s(sys.executable, "-c", "pass"))
    return Part(
        "Client",
        [
            limited("import sre_edge", imports, "s", IMPORT_LIMIT_S),
            compared("import sre_edge", imports, "s", "import grpc, grpc.aio", grpc),
            compared("sre-edge --version", command, "s", "python -c pass", bare),
        ],
    )


if __name__ == "__main__":
    show(measure())
