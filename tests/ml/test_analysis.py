"""Critical paths and anomalies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ml.serving.anomalies import METRICS, AnomalyDetector
from ml.serving.critical_path import critical_paths
from simulator.dynamics.load import Load
from simulator.simulation import Simulation
from simulator.topologies import shipped
from simulator.topology.file import parse_topology
from telemetry.faults import Fault, FaultKind
from telemetry.frame import Frame

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def copy_of(frame: Frame, copy: int) -> Frame:
    values = {
        name: value[copy : copy + 1] if isinstance(value, np.ndarray) else value
        for name, value in vars(frame).items()
    }
    return Frame(**values)


@pytest.mark.parametrize("name", ["default", "boutique", "deep-chain", "wide-fan-out"])
def test_shares_of_a_critical_path_sum_up_to_one(name: str) -> None:
    simulation = Simulation(shipped(name), seed=1)
    for _ in range(20):
        frame = simulation.next_frame()
    found = critical_paths(simulation.graph, frame)
    assert len(found) == simulation.graph.entry.sum()
    for path in found:
        assert path.hops[0].service == path.entry
        assert sum(hop.share for hop in path.hops) == pytest.approx(1.0)
        assert sum(hop.time_ms for hop in path.hops) == pytest.approx(path.latency_ms)
        assert all(hop.time_ms >= 0.0 for hop in path.hops)


def test_a_slow_service_is_where_the_critical_path_leads() -> None:
    simulation = Simulation(shipped("boutique"), seed=1)
    slow = "shipping"
    simulation.inject(Fault(slow, FaultKind.NETWORK_LATENCY, 0.0, 600.0, 0.8))
    for _ in range(20):
        frame = simulation.next_frame()
    (path,) = critical_paths(simulation.graph, frame)
    assert slow in [hop.service for hop in path.hops]


def test_a_cycle_does_not_trap_the_critical_path() -> None:
    topology = parse_topology(
        {"services": [{"name": "a", "dependencies": ["b"]}, {"name": "b", "dependencies": ["a"]}]}
    )
    simulation = Simulation(topology, seed=1)
    (path,) = critical_paths(simulation.graph, simulation.next_frame())
    assert [hop.service for hop in path.hops] == ["a", "b"]


def test_a_leak_is_an_anomaly_of_memory_until_it_is_over() -> None:
    simulation = Simulation(shipped("default"), seed=1)
    simulation.inject(Fault("database", FaultKind.MEMORY_LEAK, 200.0, 120.0, 1.0))
    detector = AnomalyDetector(simulation.graph)
    seen = []
    for _ in range(200):
        frame = simulation.next_frame()
        found = detector.update(frame, START + timedelta(seconds=frame.t_s))
        seen.append([a for a in found if (a.service, a.metric) == ("database", "memory_percent")])
    assert not any(seen[:100])
    assert any(seen[105:160])
    (one,) = next(found for found in seen if found)
    assert one.value > one.expected
    assert one.deviations >= 6.0
    assert START + timedelta(seconds=200) < one.since < START + timedelta(seconds=330)
    assert not seen[-1]


@pytest.mark.slow
def test_a_healthy_day_of_changing_load_has_hardly_any_anomaly() -> None:
    """Measured: begun anomalies per metric, service and hour, day and night."""
    copies, hours = 12, 2
    loads = [Load(diurnal=True, hour=24.0 * copy / copies) for copy in range(copies)]
    simulation = Simulation(shipped("boutique"), copies=copies, seed=5, loads=loads)
    detectors = [AnomalyDetector(simulation.graph) for _ in range(copies)]
    begun: set[tuple[int, str, str, datetime]] = set()
    for _ in range(1800 * hours):
        frame = simulation.next_frame()
        for copy, detector in enumerate(detectors):
            now = START + timedelta(hours=loads[copy].hour - 9, seconds=frame.t_s)
            found = detector.update(copy_of(frame, copy), now)
            begun |= {(copy, a.service, a.metric, a.since) for a in found}
    watched = copies * hours * simulation.graph.services * len(METRICS)
    assert len(begun) / watched < 0.005


def test_what_is_usual_at_the_hour_is_no_anomaly_on_the_next_day() -> None:
    """A batch job at noon is news on the first day, and not on the second."""
    simulation = Simulation(shipped("default"), seed=1)
    detector = AnomalyDetector(simulation.graph)
    frames = [simulation.next_frame() for _ in range(60)]
    news = []
    for day in range(2):
        found = set()
        for k in range(1500):
            now = START + timedelta(days=day, hours=2.5, seconds=2.0 * k)
            frame = frames[k % len(frames)]
            if 12 <= now.hour < 13 and now.minute < 30:
                shifted = {**vars(frame), "cpu_percent": frame.cpu_percent + 40.0}
                frame = Frame(**shifted)
            found |= {a.metric for a in detector.update(frame, now)}
        news.append(found)
    assert news[0] == {"cpu_percent"}
    assert news[1] == set()
