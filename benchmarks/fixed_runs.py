"""Digests of ten fixed runs: whether a change of the code changes what comes out.

    python -m benchmarks.fixed_runs before.json
    python -m benchmarks.fixed_runs after.json --against before.json

Frames, predictions, features, events and records of each run, as clients get them, are hashed bit
by bit; texts for people apart. The same on one machine; another processor may round otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from ml.serving.predictor import Predictor
from server.rpc import events, experiments, incidents
from server.rpc.broadcast import encode
from server.rpc.predictions import Predictions
from server.rpc.subscriber import EVERYTHING
from server.sources.simulation import SimulationFactory
from server.systems.recorder import Changes, Persistence
from server.systems.system import System
from simulator.topologies import document, shipped
from simulator.topology.generator import random_topology
from sre_edge.v1 import prediction_service_pb2, simulation_service_pb2
from telemetry.faults import Fault, FaultKind

START = datetime(2026, 6, 3, 15, tzinfo=UTC)
TEXTS = frozenset({"text", "description", "action"})
SCENARIO = """
- name: game-day
  seconds: 200
  faults:
  - {target: auth-service, kind: error_burst, start_s: 80, duration_s: 60, intensity: 4}
  - {target: database, kind: service_kill, start_s: 10, duration_s: 40}
"""
KINDS = [
    ("database", "cpu_spike", 60, 3.0), ("auth-service", "memory_leak", 120, 2.0),
    ("database", "network_latency", 60, 1.0), ("user-service", "packet_loss", 60, 4.0),
    ("user-service->database", "network_partition", 40, 1.0), ("database", "service_kill", 30, 1.0),
    ("auth-service", "error_burst", 40, 2.0), ("api-gateway", "traffic_surge", 60, 3.0),
    ("database", "disk_slowdown", 60, 4.0), ("", "cascade_failure", 40, 1.0),
]  # fmt: skip
Step = tuple[int, str, Any]
FLOOD: Step = (10, "inject", ("", "cascade_failure", 60, 1.5))


def inject(tick: int, target: str, kind: str, duration_s: int, intensity: float) -> Step:
    """State a fault that is injected at a tick."""
    return tick, "inject", (target, kind, duration_s, intensity)


RUNS: dict[str, tuple[Any, int, int, list[Step]]] = {
    "quiet": ("default", 1, 120, []),
    "kinds": ("default", 2, 400, [inject(5 + 36 * i, *fault) for i, fault in enumerate(KINDS)]),
    "leak": ("boutique", 3, 300, [inject(10, "cart", "memory_leak", 200, 2.5),
                                  inject(200, "product-catalog", "service_kill", 60, 0.7)]),
    "deep": ("deep-chain", 4, 200, [FLOOD]),
    "wide": ("wide-fan-out", 5, 200, [FLOOD]),
    "random-50": ((50, 7), 6, 250, [FLOOD]),
    "random-300": ((300, 8), 7, 120, [FLOOD]),
    "scenario": ("default", 8, 220, [(4, "scenario", SCENARIO)]),
    "stopped": ("default", 9, 200, [
        inject(5, "database", "service_kill", 200, 1.0), (30, "stop", None),
        inject(80, "auth-service", "error_burst", 100, 5.0), (95, "switch", True),
        (110, "switch", False), inject(120, "api-gateway", "traffic_surge", 80, 4.0)]),
    "reset": ("default", 10, 160, [
        inject(5, "database", "service_kill", 200, 1.0), (40, "reset", ("boutique", 11)),
        inject(60, "cart", "error_burst", 80, 5.0)]),
}  # fmt: skip
"""Topology (of random ones size and seed), seed, ticks, and what is done at which of them."""


UNNAMED = ""
"""Id of the system: which one it is, is no part of what a run is like."""


class FixedRun:
    """One run, whose wall clock goes by its ticks."""

    def __init__(self, topology: Any, seed: int, predictor: Predictor) -> None:
        self._now = START
        self.changes: list[Changes] = []
        system = random_topology(*topology) if isinstance(topology, tuple) else shipped(topology)
        self.system = System(
            SimulationFactory(system, seed),
            predictor,
            now=lambda: self._now,
            persistence=Persistence(save=self.changes.append),
            system_id=UNNAMED,
        )
        self._run_ids = [self.system.run.id]

    def tick(self) -> None:
        """Advance by one interval."""
        self._now += timedelta(seconds=2)
        self.system.tick()

    def do(self, what: str, how: Any) -> None:
        """Do what a step of a run states."""
        match what:
            case "inject":
                target, kind, duration_s, intensity = how
                fault = Fault(target, FaultKind(kind), 0.0, float(duration_s), intensity)
                self.system.inject(fault)
            case "scenario":
                self.system.run_scenario(how)
            case "stop":
                self.system.stop()
            case "switch":
                self.system.set_kill_switch(how)
            case "reset":
                name, seed = how
                self.system.reset(document(name), seed)
                self._run_ids.append(self.system.run.id)

    def canonical(self, message: Message) -> bytes:
        """Give a message as JSON, without texts and with runs by their numbers."""
        plain = json_format.MessageToDict(message, preserving_proto_field_name=True)
        text = json.dumps(_without_texts(plain), sort_keys=True)
        for number, run_id in enumerate(self._run_ids):
            text = text.replace(run_id, f"run-{number}")
        return text.encode()

    def digest(self, messages: Iterable[Message]) -> str:
        """Give the digest of messages in their order."""
        return _hex(*map(self.canonical, messages))

    def records(self) -> dict[str, str]:
        """Digests of what was kept, and of the answers to the last questions."""
        latest, forecast = self.system.forecast()
        ask = prediction_service_pb2.PredictRequest(
            services=latest.graph.names[:4], explain=True, include_features=True
        )
        kept = self.changes
        return {
            "events": self.digest(
                events.event(one, UNNAMED) for change in kept for one in change.events
            ),
            "incidents": self.digest(
                incidents.incident(i, UNNAMED) for c in kept for i in c.incidents
            ),
            "alarms": self.digest(
                incidents.alarm(one, UNNAMED) for change in kept for one in change.alarms
            ),
            "experiments": self.digest(
                experiments.experiment(one, UNNAMED)
                for change in kept
                for one in change.experiments
            ),
            "predictions": self.digest([Predictions(latest, forecast).answer(ask)]),
        }


def measure(name: str, predictor: Predictor) -> dict[str, str]:
    """Run one of `RUNS`, and give its digests."""
    topology, seed, ticks, steps = RUNS[name]
    run = FixedRun(topology, seed, predictor)
    snapshots, features = hashlib.sha256(), hashlib.sha256()
    for tick in range(ticks):
        for at, what, how in steps:
            if at == tick:
                run.do(what, how)
        run.tick()
        latest = run.system.latest
        response = simulation_service_pb2.StreamMetricsResponse
        snapshots.update(run.canonical(response.FromString(encode(latest, EVERYTHING)).snapshot))
        if latest.forecast is not None:
            features.update(latest.forecast.features.tobytes())
    return {"snapshots": snapshots.hexdigest(), "features": features.hexdigest(), **run.records()}


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_texts(item) for key, item in value.items() if key not in TEXTS}
    return [_without_texts(item) for item in value] if isinstance(value, list) else value


def _hex(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def main() -> int:
    """Measure all runs; exit code 1 if any differs from those that it is compared with."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("output", type=Path, help="JSON file to write the digests to")
    options.add_argument("--against", type=Path, help="JSON file of an earlier run to compare with")
    chosen = options.parse_args()
    predictor = Predictor()
    found = {name: measure(name, predictor) for name in RUNS}
    chosen.output.write_text(json.dumps(found, indent=1) + "\n")
    known = json.loads(chosen.against.read_text()) if chosen.against else found
    different = [
        f"{name}: {part}" for name in found for part in found[name]
        if known[name][part] != found[name][part]
    ]  # fmt: skip
    print("\n".join(different) or f"{len(found)} runs, all as expected")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
