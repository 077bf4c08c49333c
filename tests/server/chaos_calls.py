"""Calls about faults and experiments, as tests make them."""

from __future__ import annotations

from typing import Any

from server.app import App
from sre_edge.v1 import chaos_service_pb2 as pb
from sre_edge.v1 import experiment_pb2, fault_pb2
from tests.server.stubs import Stubs

KILL = {"target": "database", "kind": "FAULT_KIND_SERVICE_KILL", "duration": "60s"}
RAMPED = {**KILL, "ramp": "50s"}
LEAK = """
- name: game-day
  seconds: 120
  faults:
  - {target: auth-service, kind: error_burst, start_s: 40, duration_s: 30, intensity: 4}
  - {target: database, kind: service_kill, start_s: 10, duration_s: 20}
"""


def tick(app: App, seconds: float) -> None:
    for _ in range(round(seconds / 2.0)):
        app.only.system.tick()


async def experiment(calls: Stubs, experiment_id: str) -> experiment_pb2.Experiment:
    request = pb.GetExperimentRequest(experiment_id=experiment_id)
    return (await calls.chaos.GetExperiment(request)).experiment


async def stop(calls: Stubs, **which: Any) -> list[fault_pb2.Fault]:
    return list((await calls.chaos.StopChaos(pb.StopChaosRequest(**which))).stopped)
