"""Many small systems in one server: CPU, and memory when the history of each is full.

`python -m benchmarks.fleet` prints its figures.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import numpy as np
import yaml

from benchmarks.figures import Part, limited, progress
from benchmarks.programs import Program, server
from benchmarks.report import show
from benchmarks.subscribers import topology
from sre_edge.v1 import simulation_service_pb2, simulation_service_pb2_grpc, system_service_pb2
from sre_edge.v1.system_service_pb2_grpc import SystemServiceStub

SYSTEMS, SERVICES, QUICK_SYSTEMS = 50, 20, 3
MAX_CORE, MAX_MB = 0.5, 1000.0
FULL, FILLED = 900, 180
"""Snapshots of a full history, and those after which the rest is extrapolated: it takes minutes."""
FAST, SETTLE_S, WINDOW_S, WINDOWS = 100.0, 10.0, 10.0, 4


def systems_file(folder: Path, systems: int) -> Path:
    """Write a file with so many simulated systems, all of one topology."""
    described = topology(folder, SERVICES)
    entries = [
        {"id": f"system-{number}", "default": number == 0,
         "source": {"kind": "simulation", "topology": described.name, "seed": number}}
        for number in range(systems)
    ]  # fmt: skip
    path = folder / "systems.yaml"
    path.write_text(yaml.safe_dump({"systems": entries}))
    return path


def filled(program: Program, snapshots: int) -> float:
    """Let time pass quickly until each system has so many snapshots; give the memory before."""
    with grpc.insecure_channel(f"127.0.0.1:{program.port}") as channel:
        fleet = SystemServiceStub(channel)
        clock = simulation_service_pb2_grpc.SimulationServiceStub(channel)

        def listed() -> dict[str, int]:
            request = system_service_pb2.ListSystemsRequest(page_size=500)
            found = fleet.ListSystems(request).systems
            return {one.id: one.cursor.sequence for one in found}

        while not min(listed().values()):  # until all have been opened
            time.sleep(0.5)
        before_mb = program.resident_mb

        def at(speed: float) -> None:
            for name in listed():
                request = simulation_service_pb2.SetClockRequest(system=name, speed=speed)
                clock.SetClock(request, timeout=60.0)

        at(FAST)
        while min(listed().values()) < snapshots:
            time.sleep(1.0)
        at(1.0)
        return before_mb


def measure(*, quick: bool = False) -> Part:
    """Measure one server that watches them all."""
    systems, snapshots = (QUICK_SYSTEMS, 30) if quick else (SYSTEMS, FILLED)
    windows, window_s = (1, 4.0) if quick else (WINDOWS, WINDOW_S)
    progress(f"fleet: {systems} systems of {SERVICES} services")
    with TemporaryDirectory() as name:
        path = systems_file(Path(name), systems)
        with server(Path(name) / "data", "--systems", str(path)) as program:
            before_mb = filled(program, snapshots)
            time.sleep(2.0 if quick else SETTLE_S)
            cores, memory = [], []
            for _ in range(windows):
                before, began = program.cpu_s, time.perf_counter()
                time.sleep(window_s)
                cores.append((program.cpu_s - before) / (time.perf_counter() - began))
                grown_mb = program.resident_mb - before_mb
                memory.append(before_mb + grown_mb * FULL / snapshots)
    setting = f"{systems} systems of {SERVICES} services"
    return Part(
        "Many systems in one server",
        [
            limited(f"CPU, {setting}", cores, "of a core", MAX_CORE),
            limited(f"memory, {setting}", memory, "MB", MAX_MB),
        ],
        notes=[f"A tick every 2 s in each. Memory is that of {FULL} snapshots in each history, by "
               f"what the first {snapshots} took: {before_mb:.0f} MB before them, and then "
               f"{(float(np.median(memory)) - before_mb) / systems:.1f} MB a system."],
    )  # fmt: skip


if __name__ == "__main__":
    show(measure())
