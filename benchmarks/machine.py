"""The machine and the versions that figures come from; no names, no paths."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

PACKAGES = (
    "sre-edge", "numpy", "scipy", "onnxruntime", "grpcio", "protobuf", "dash", "playwright",
    "xgboost-cpu", "xgboost", "treelite", "tl2cgen", "simpy", "ciw", "flask", "waitress",
    "scikit-learn", "pandas",
)  # fmt: skip


def machine() -> dict[str, str | int | float]:
    """Say what this machine is."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": found[1] if found else platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(memory / 1e9, 1),
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Say what was measured: packages, Python, Chromium, and the commit."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for name, command in (
        ("Chromium", ("chromium", "--version")),
        ("commit", ("git", "describe", "--always", "--dirty", "--exclude=*")),
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        if stated := re.search(r"[0-9a-f.]{7,}(-dirty)?", done.stdout):
            found[name] = stated[0]
    return found


def pace_ms() -> float:
    """Time a piece of work that is always the same, ms: loops in Python, and passes over memory.

    On a machine that is shared it takes longer at times, and so does all else.
    """
    values, spent = np.ones(1_000_000), []
    for _ in range(9):
        began = time.perf_counter()
        for _ in range(5):
            values = values * 0.5 + 1.0
        sum(number * number for number in range(100_000))
        spent.append(time.perf_counter() - began)
    return round(1e3 * statistics.median(spent), 1)


def load() -> float:
    """Mean number of programs that wanted to run in the last minute."""
    return round(os.getloadavg()[0], 2)
