"""Advice: for whom, ranked by what."""

from __future__ import annotations

import numpy as np

from ml.definitions.incident_types import INCIDENT_TYPES, IncidentType
from ml.serving.factors import Factor
from ml.serving.recommendations import recommendations
from simulator.simulation import Simulation
from simulator.topologies import shipped
from telemetry.faults import Fault, FaultKind


def test_advice_names_the_service_where_the_trouble_sits() -> None:
    simulation = Simulation(shipped("default"), seed=1)
    simulation.inject(Fault("database", FaultKind.SERVICE_KILL, 0, 60))
    for _ in range(10):
        frame = simulation.next_frame()
    certain = np.eye(len(INCIDENT_TYPES))
    failing = INCIDENT_TYPES.index(IncidentType.DEPENDENCY_FAILURE)
    advice = recommendations(simulation.graph, frame, 0, certain[failing])
    assert {one.service for one in advice} == {"database"}
    for types in certain:
        for service in range(4):
            assert recommendations(simulation.graph, frame, service, types)


def test_advice_does_not_go_by_what_was_not_observed() -> None:
    simulation = Simulation(shipped("default"), seed=1)
    simulation.inject(Fault("database", FaultKind.SERVICE_KILL, 0, 60))
    for _ in range(10):
        frame = simulation.next_frame()
    database = simulation.graph.index["database"]
    assert np.isnan(frame.memory_percent[0, database])
    full = np.eye(len(INCIDENT_TYPES))[INCIDENT_TYPES.index(IncidentType.MEMORY_EXHAUSTION)]
    killed, alive = (
        recommendations(simulation.graph, frame, service, full)[0].action
        for service in (database, simulation.graph.index["api-gateway"])
    )
    assert killed.endswith("before they reach their limit.")
    assert alive.endswith(" %.")


def test_advice_names_who_is_running_out_before_anything_fails() -> None:
    simulation = Simulation(shipped("default"), seed=1)
    simulation.inject(Fault("auth-service", FaultKind.SERVICE_KILL, 0, 300, 1.0, 200))
    for _ in range(40):
        frame = simulation.next_frame()
    assert frame.availability_percent[0, simulation.graph.index["auth-service"]] < 80.0
    failing = INCIDENT_TYPES.index(IncidentType.DEPENDENCY_FAILURE)
    types = np.eye(len(INCIDENT_TYPES))[failing]
    gateway = simulation.graph.index["api-gateway"]
    advice = recommendations(simulation.graph, frame, gateway, types)
    assert {one.service for one in advice} == {"auth-service"}


def test_advice_is_ranked_by_how_likely_its_type_is() -> None:
    simulation = Simulation(shipped("default"), seed=1)
    frame = simulation.next_frame()
    types = np.zeros(len(INCIDENT_TYPES))
    types[INCIDENT_TYPES.index(IncidentType.MEMORY_EXHAUSTION)] = 0.65
    types[INCIDENT_TYPES.index(IncidentType.CPU_SATURATION)] = 0.35
    advice = [one.action for one in recommendations(simulation.graph, frame, 0, types)]
    assert "memory is at" in advice[0]
    assert "CPU is at" in advice[1]
    assert len(advice) == 4


def test_reasons_decide_between_advice_on_types_that_are_as_likely() -> None:
    simulation = Simulation(shipped("default"), seed=1)
    frame, names = simulation.next_frame(), simulation.graph.names
    types = np.zeros(len(INCIDENT_TYPES))
    types[INCIDENT_TYPES.index(IncidentType.MEMORY_EXHAUSTION)] = 0.45
    types[INCIDENT_TYPES.index(IncidentType.CPU_SATURATION)] = 0.4
    for feature, service, said in (
        ("memory_full_s", names[0], "memory is at"),
        ("cpu_headroom", names[0], "CPU is at"),
        ("below_cpu_worst", names[1], "memory is at"),  # another service's CPU
    ):
        reasons = [Factor(feature, service, 1.0, 0.8, ""), Factor("strain", names[0], 1.0, 0.2, "")]
        assert said in recommendations(simulation.graph, frame, 0, types, reasons)[0].action
