"""What the graph draws."""

from __future__ import annotations

from dashboard.address import Address
from dashboard.graph import elements, grouping, positions, style
from sre_edge.v1 import prediction_pb2, snapshot_pb2, topology_pb2
from tests.dashboard.fakes import CALLS, fault, snapshot, topology

DOWN = snapshot_pb2.STATUS_DOWN


def large(count: int) -> tuple[topology_pb2.Topology, snapshot_pb2.Snapshot]:
    """Make a chain of layers of ten services, the last service down."""
    names = [f"s-{i:04d}" for i in range(count)]
    services = [
        topology_pb2.Service(
            name=name, kind=topology_pb2.SERVICE_KIND_SERVICE,
            dependencies=[topology_pb2.Dependency(service=names[i + 10])] if i + 10 < count else [],
        )
        for i, name in enumerate(names)
    ]  # fmt: skip
    metrics = [
        snapshot_pb2.ServiceMetrics(service=name, status=snapshot_pb2.STATUS_HEALTHY)
        for name in names
    ]
    metrics[-1].status = DOWN
    return topology_pb2.Topology(services=services), snapshot_pb2.Snapshot(services=metrics)


def test_status_is_said_by_shape_colour_and_text() -> None:
    drawing = elements.drawing(topology(), snapshot(status=DOWN), Address(service="database"))
    node = next(one for one in drawing["nodes"] if one["id"] == "database")
    assert "down" in node["label"]
    assert {"down", "selected"} <= set(node["classes"].split())
    styles = {rule["selector"]: rule["style"] for rule in style.STYLESHEET}
    names = ("healthy", "degraded", "down")
    assert len({styles[f".{name}"]["shape"] for name in names}) == 3
    assert len({styles[f".{name}"]["background-color"] for name in names}) == 3


def test_positions_and_ids_do_not_change_with_the_state() -> None:
    calm = elements.drawing(topology(), snapshot(), Address())
    wild = elements.drawing(
        topology(), snapshot(2, DOWN, 0.9, (fault(),)), Address(service="database")
    )
    assert calm["key"] == wild["key"]
    for a, b in zip(calm["nodes"], wild["nodes"], strict=True):
        assert (a["id"], a["x"], a["y"]) == (b["id"], b["x"], b["y"])


def test_risk_has_a_halo_and_a_fault_a_badge() -> None:
    taken = snapshot(risk=0.9, faults=(fault(),))
    classes = {
        n["id"]: n["classes"].split()
        for n in elements.drawing(topology(), taken, Address())["nodes"]
    }
    assert "risk-critical" in classes["database"]
    assert "faulty" in classes["database"]
    assert "faulty" not in classes["api-gateway"]


def test_edges_say_rate_by_width_and_errors_by_colour_and_text() -> None:
    taken = snapshot()
    taken.edges[0].call_rate_rps = 4_000
    taken.edges[1].error_rate_percent = 50
    first, second, *_ = elements.drawing(topology(), taken, Address())["edges"]
    assert first["width"] > second["width"]
    assert "failing" in second["classes"]
    assert "50" in second["label"]
    assert elements.width(0.0) < elements.width(100.0) <= elements.width(1e9)


def test_callers_stand_left_of_what_they_call_even_in_a_cycle() -> None:
    calls = [(caller, callee) for caller, callees in CALLS.items() for callee in callees]
    places = positions.positions(list(CALLS), calls)
    assert all(places[a][0] < places[b][0] for a, b in calls)
    assert len(set(places.values())) == len(places)
    assert len(positions.positions(list(CALLS), [*calls, ("database", "api-gateway")])) == 4


def test_large_systems_are_drawn_in_groups_that_open() -> None:
    system, taken = large(1000)
    drawing = elements.drawing(system, taken, Address())
    assert len(drawing["nodes"]) <= grouping.MAX_NODES
    assert all(node["id"].startswith("group:") for node in drawing["nodes"])
    assert any("1 in trouble" in node["label"] for node in drawing["nodes"])
    opened = elements.drawing(system, taken, Address(group=drawing["nodes"][0]["group"]))
    assert "s-0000" in {node["id"] for node in opened["nodes"]}
    assert {edge["source"] for edge in drawing["edges"]} <= {n["id"] for n in drawing["nodes"]}


def test_large_systems_are_filtered_before_they_are_drawn() -> None:
    system, taken = large(1000)
    only = elements.drawing(system, taken, Address(unhealthy=True))
    assert [node["id"] for node in only["nodes"]] == ["s-0999"]
    found = elements.drawing(system, taken, Address(find="s-000"))
    assert len(found["nodes"]) == 10


def test_a_service_is_in_trouble_by_status_or_by_risk() -> None:
    def seen(status: snapshot_pb2.Status.ValueType, risk: float) -> snapshot_pb2.ServiceMetrics:
        prediction = prediction_pb2.Prediction(incident_probability=risk)
        return snapshot_pb2.ServiceMetrics(status=status, prediction=prediction)

    assert not grouping.in_trouble(seen(snapshot_pb2.STATUS_HEALTHY, 0.1))
    assert grouping.in_trouble(seen(snapshot_pb2.STATUS_HEALTHY, 0.4))
    assert grouping.in_trouble(seen(DOWN, 0.0))
    assert not grouping.in_trouble(None)
