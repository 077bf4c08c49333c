"""Recordings of systems that are simulated side by side."""

from __future__ import annotations

import numpy as np

from ml.episodes.recording import record, record_batch
from ml.features import LEARNED, NAMES
from ml.training.dataset import BATCH_SYSTEMS, sample_batch
from simulator.dynamics.load import Load
from simulator.faults.scenario import Scenario
from simulator.topologies import shipped
from telemetry.faults import Fault, FaultKind

SYSTEMS = [shipped("default"), shipped("boutique")]
KILL = Fault("database", FaultKind.SERVICE_KILL, 300.0, 200.0)


def test_each_system_of_several_is_recorded_as_if_it_were_alone() -> None:
    struck = [Scenario("kill", 1320.0, Load(), (KILL,)), Scenario("calm", 1320.0, Load(), ())]
    calm = [Scenario("calm", 1320.0, Load(), ()), Scenario("calm", 1320.0, Load(), ())]
    first, second = record_batch(SYSTEMS, [struck, calm], 3)
    alone = record(SYSTEMS[0], struck, 3)
    assert {i.copy for i in first.incidents} == {0}
    assert [(i.service, i.onset) for i in first.incidents] == [
        (i.service, i.onset) for i in alone.incidents
    ]
    assert first.types == alone.types
    assert second.incidents == ()
    assert second.features.shape == (450, 2, len(SYSTEMS[1].services), len(NAMES))
    static = NAMES.index("distance_from_entry")
    np.testing.assert_array_equal(first.features[..., static], alone.features[..., static])


def test_rows_of_a_group_of_systems_are_the_same_each_time() -> None:
    job = (SYSTEMS, 6, 2, 0.25)
    (rows, spread), (again, _) = sample_batch(job), sample_batch(job)
    np.testing.assert_array_equal(rows.features, again.features)
    assert rows.features.shape[1] == len(LEARNED)
    assert len(SYSTEMS) <= BATCH_SYSTEMS
    assert rows.label[rows.ongoing].all()
    assert (rows.weight[~rows.label] == 4.0).all()
    assert len(spread.inputs) == len(spread.followed)
