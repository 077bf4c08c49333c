"""Short runs of small systems with faults, for the tests of what comes of them."""

from __future__ import annotations

from typing import Any

from simulator.simulation import Simulation
from simulator.topology.file import parse_topology
from simulator.topology.resolved import Topology
from telemetry.faults import Fault
from telemetry.frame import Frame


def run(topology: Topology, seconds: float, *faults: Fault, seed: int = 1) -> list[Frame]:
    simulation = Simulation(topology, seed=seed)
    for fault in faults:
        simulation.inject(fault)
    return [simulation.next_frame() for _ in range(int(seconds / 2))]


def at(frames: list[Frame], t_s: float) -> Frame:
    return frames[int(t_s / 2)]


def value(frame: Frame, name: str, topology: Topology, service: str) -> float:
    return float(getattr(frame, name)[0, topology.graph().index[service]])


def shop(**dependency: Any) -> Topology:
    """A gateway that needs its catalogue and may do without its adverts."""
    return parse_topology(
        {
            "services": [
                {
                    "name": "gateway",
                    "kind": "gateway",
                    "dependencies": [
                        {"service": "catalogue", **dependency},
                        {"service": "adverts", "required": False},
                    ],
                },
                {
                    "name": "catalogue",
                    "workers": 16,
                    "dependencies": [{"service": "database", **dependency}],
                },
                {"name": "adverts"},
                {"name": "database", "kind": "database"},
            ]
        }
    )
