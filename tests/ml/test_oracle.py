"""The oracle sees coming what the true state holds, and nothing else."""

from __future__ import annotations

from ml.episodes.recording import record
from ml.evaluation.oracle import oracle
from simulator.dynamics.load import Load
from simulator.faults.scenario import Scenario
from simulator.topologies import shipped
from telemetry.faults import Fault, FaultKind


def test_the_oracle_foresees_a_leak_and_nothing_in_a_quiet_episode() -> None:
    topology = shipped("default")
    leak = Fault("user-service", FaultKind.MEMORY_LEAK, 300.0, 90.0, 2.0)
    chosen = [Scenario("leak", 1320.0, Load(), (leak,)), Scenario("quiet", 1320.0, Load(), ())]
    recording = record(topology, chosen, seed=2, with_causes=True)
    probability = oracle(topology, chosen, seed=2)
    assert probability.shape == recording.label.shape
    leaking = recording.graph.index["user-service"]
    first = next(incident for incident in recording.incidents if incident.service == leaking)
    assert recording.causes[recording.incidents.index(first)] == leak
    assert probability[first.onset - 5, 0, first.service] > 0.8
    assert probability[: first.onset - 40].max() == 0.0  # more than the horizon before
    assert not probability[:, 1].any()
