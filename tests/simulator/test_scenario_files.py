"""Scenario files: what is allowed, and what an error says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.dynamics.load import Load
from simulator.faults.scenario import ScenarioError, load_scenarios, parse_scenarios
from simulator.simulation import Simulation
from simulator.topologies import shipped
from simulator.topology.file import parse_topology
from telemetry.faults import Fault, FaultError, FaultKind


def test_a_scenario_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.yaml"
    path.write_text("""
- name: database-leak
  seconds: 900
  load: {scale: 1.0, diurnal: true, hour: 14, day: 5}
  faults: [{target: database, kind: memory_leak, start_s: 300, duration_s: 400, intensity: 1.0,
            ramp_s: 60, share: 1.0}]
""")
    (scenario,) = load_scenarios(path, shipped("default").graph())
    assert scenario.load.diurnal
    assert (scenario.load.hour, scenario.load.day) == (14.0, 5)
    assert scenario.faults == (
        Fault("database", FaultKind.MEMORY_LEAK, 300.0, 400.0, 1.0, 60.0, 1.0),
    )


def test_a_scenario_has_the_defaults_of_load_and_fault() -> None:
    document = [{"seconds": 60, "faults": [{"target": "a", "kind": "cpu_spike", "duration_s": 5}]}]
    graph = parse_topology({"services": [{"name": "a"}]}).graph()
    (scenario,) = parse_scenarios(document, graph)
    assert (scenario.name, scenario.load) == ("[0]", Load())
    assert scenario.faults == (Fault("a", FaultKind.CPU_SPIKE, 0.0, 5.0),)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"target": "nobody", "kind": "cpu_spike", "duration_s": 5}, "[0].faults[0].target"),
        ({"target": "database", "kind": "cpu", "duration_s": 5}, "[0].faults[0].kind"),
        ({"target": "database", "kind": "cpu_spike"}, "[0].faults[0].duration_s"),
        ({"target": "database", "kind": "cpu_spike", "duration_s": 0}, "[0].faults[0].duration_s"),
        (
            {"target": "database", "kind": "cpu_spike", "duration_s": 5, "ramp_s": 9},
            "[0].faults[0].ramp_s",
        ),
        ({"target": "database", "kind": "traffic_surge", "duration_s": 5}, "expected an entry"),
        (
            {"target": "database", "kind": "cpu_spike", "start_s": 60, "duration_s": 5},
            "[0].faults[0].start_s: expected less than the 60 s of the run, got 60",
        ),
        ({"target": 5, "kind": "cpu_spike", "duration_s": 5}, "target: expected a name, got 5"),
        ({"kind": "cascade_failure", "duration_s": 5, "share": "all"}, "expected a number, got 'a"),
    ],
)
def test_a_wrong_scenario_names_the_path(fault: dict[str, Any], expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenarios(
            [{"name": "x", "seconds": 60, "faults": [fault]}], shipped("default").graph(), "s.yaml"
        )
    assert expected in str(caught.value)


def test_an_impossible_fault_changes_nothing() -> None:
    simulation = Simulation(shipped("default"))
    with pytest.raises(FaultError) as caught:
        simulation.inject(Fault("database", FaultKind.CPU_SPIKE, 0.0, float("nan")))
    assert caught.value.field == "duration_s"
    assert simulation.active_faults() == ()
