"""The system is in an incident while any of its entries is."""

from __future__ import annotations

import numpy as np

from ml.definitions.incidents import Incident
from ml.episodes.recording import record
from ml.evaluation.pool import Scored
from ml.evaluation.system_view import of_system
from simulator.dynamics.load import Load
from simulator.faults.scenario import Scenario
from simulator.topology.file import parse_topology
from telemetry.faults import Fault, FaultKind


def test_incidents_of_entries_that_overlap_are_one_of_the_system() -> None:
    topology = parse_topology(
        {
            "services": [
                {"name": "one", "dependencies": ["shared", "alone"]},
                {"name": "two", "dependencies": ["shared"]},
                {"name": "shared"},
                {"name": "alone"},
            ]
        }
    )
    faults = (
        Fault("shared", FaultKind.SERVICE_KILL, 200.0, 60.0),
        Fault("alone", FaultKind.SERVICE_KILL, 600.0, 60.0),
    )
    recording = record(topology, [Scenario("x", 1320.0, Load(), faults)], seed=1, with_causes=True)
    score = np.zeros(recording.label.shape)
    score[:, :, 1], score[:, :, 2] = 0.4, 0.9  # only entries count
    system = of_system(Scored(recording, score))
    both = [i for i in recording.incidents if i.service in (0, 1)]
    first = [i for i in both if i.onset < 200]
    later = [i for i in both if i.onset >= 200]
    assert [i.service for i in first] == [0, 1]
    assert [i.service for i in later] == [0]
    onset = min(i.onset for i in first)
    assert system.recording.incidents == (
        Incident(0, 0, onset, max(i.end for i in first)),
        Incident(0, 0, later[0].onset, later[0].end),
    )
    assert system.recording.causes == faults
    assert system.score.shape == (*recording.label.shape[:2], 1)
    assert float(system.score.max()) == 0.4
    assert system.recording.label[onset - 1, 0, 0]
    assert not system.recording.scored[onset, 0, 0]
