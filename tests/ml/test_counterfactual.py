"""Causes and justified alarms come from running the same episode again."""

from __future__ import annotations

import pytest

from ml.episodes.counterfactual import Counterfactuals, foreseeable
from ml.episodes.recording import record
from simulator.dynamics.load import Load
from simulator.faults.scenario import Scenario
from simulator.topologies import shipped
from telemetry.faults import Fault, FaultKind

KILL = Fault("database", FaultKind.SERVICE_KILL, 300.0, 60.0)
HARMLESS = Fault("auth-service", FaultKind.CPU_SPIKE, 290.0, 100.0, 0.3)
ERRORS = Fault("database", FaultKind.ERROR_BURST, 310.0, 60.0, 5.0)
LEAK = Fault("user-service", FaultKind.MEMORY_LEAK, 300.0, 60.0, 1.0)  # held on, it ends in kills


@pytest.fixture(scope="module")
def counterfactuals() -> Counterfactuals:
    return Counterfactuals(shipped("default"), [scenario(f) for f in EPISODES], seed=3)


def scenario(faults: tuple[Fault, ...]) -> Scenario:
    return Scenario("test", 1320.0, Load(), faults)


EPISODES = ((KILL,), (KILL, HARMLESS), (KILL, ERRORS), (LEAK,), ())


def test_the_cause_is_the_fault_without_which_it_had_not_begun() -> None:
    recording = record(
        shipped("default"), [scenario(f) for f in EPISODES], seed=3, with_causes=True
    )
    causes = {
        (incident.copy, incident.service): cause
        for incident, cause in zip(recording.incidents, recording.causes, strict=True)
    }
    database = recording.graph.index["database"]
    assert causes[0, database] == KILL
    assert causes[1, database] == KILL  # the harmless one is not necessary
    assert causes[2, database] == KILL  # each alone suffices: the earlier
    assert not any(copy in (3, 4) for copy, _ in causes)
    for number in range(len(recording.incidents)):  # a kill is seen at once
        assert not recording.foreseeable(number)


def test_a_cause_must_have_acted_for_ten_seconds_to_be_foreseeable() -> None:
    assert foreseeable(KILL, KILL.start_s + 10.0)
    assert not foreseeable(KILL, KILL.start_s + 9.0)
    assert not foreseeable(None, 1e9)


def test_an_alarm_is_justified_if_the_fault_had_led_to_an_incident_had_it_held_on(
    counterfactuals: Counterfactuals,
) -> None:
    service = shipped("default").graph().index["user-service"]
    # The limit is 120 s away at first, and less than that after some time.
    assert counterfactuals.justified(3, service, 358.0, None)
    # Not before it, after it, in a quiet episode, or for a service that it does not harm.
    assert not counterfactuals.justified(3, service, 299.0, None)
    assert not counterfactuals.justified(3, service, 361.0, None)
    assert not counterfactuals.justified(4, service, 320.0, None)
    assert not counterfactuals.justified(3, service, 358.0, 359.0)  # still acted at the onset
