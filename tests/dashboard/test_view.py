"""What the page shows for a state, without a server or a browser."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from dashboard import callbacks, events, faults, figures, graph, ids, layout, view
from dashboard.numbers import duration, milliseconds, number, probability
from dashboard.provider import State
from sre_edge.v1 import fault_pb2, snapshot_pb2
from tests.dashboard.fakes import CALLS, START, fault, snapshot, state, topology

DOWN = snapshot_pb2.STATUS_DOWN


def leaves(known: State, selected: str | None = None) -> dict[tuple[str, str], Any]:
    now = START + timedelta(seconds=60)
    return {
        (identity(component), name): value
        for component, name, value in view.page(known, selected, now)
    }


def identity(component: Any) -> str:
    return component if isinstance(component, str) else json.dumps(component, sort_keys=True)


def ids_of(component: Any) -> set[str]:
    found = set()
    if getattr(component, "id", None) is not None:
        found.add(identity(component.id))
    children = getattr(component, "children", None)
    for child in children if isinstance(children, list | tuple) else [children]:
        if child is not None and not isinstance(child, str):
            found |= ids_of(child)
    return found


def shown(known: State, component: str, selected: str | None = None) -> str:
    return leaves(known, selected)[component, "children"]


@pytest.mark.parametrize(
    "known",
    [State(), state(snapshot()), state(snapshot(faults=(fault(),)), connected=False)],
    ids=["waiting", "live", "disconnected"],
)
def test_every_leaf_that_is_updated_is_on_the_page(known: State) -> None:
    present = ids_of(layout.page(known))
    updated = {component for component, _ in leaves(known)}
    if known.topology is None:
        updated = {i for i in updated if i not in (ids.GRAPH,)}
    assert updated <= present


def test_cards_show_six_metrics_status_and_risk_with_units() -> None:
    known = state(snapshot())
    texts = {metric: shown(known, ids.card_part("database", metric)) for metric in ids.CARD_METRICS}
    plain = {key: text.replace("\N{NO-BREAK SPACE}", " ") for key, text in texts.items()}
    assert plain == {
        "cpu": "45.2 %", "memory": "50 %", "latency": "431 ms", "errors": "0 %",
        "throughput": "1.23k req/s", "availability": "100 %",
    }  # fmt: skip
    assert shown(known, ids.card_part("database", "status")) == "● healthy"
    assert "low" in shown(known, ids.card_part("database", "risk"))


def test_what_is_missing_is_an_en_dash() -> None:
    taken = snapshot()
    taken.services[3].ClearField("cpu_percent")
    taken.services[3].ClearField("prediction")
    known = state(taken)
    assert shown(known, ids.card_part("database", "cpu")) == "–"
    assert "–" in shown(known, ids.card_part("database", "risk"))


def test_status_is_said_by_shape_colour_and_text() -> None:
    nodes = {
        e["data"]["id"]: e for e in graph.elements(topology(), snapshot(status=DOWN), "database")
    }
    assert "down" in nodes["database"]["data"]["label"]
    assert "down" in nodes["database"]["classes"].split()
    styles = {rule["selector"]: rule["style"] for rule in graph.STYLESHEET}
    shapes = {styles[f".{name}"]["shape"] for name in ("healthy", "degraded", "down")}
    colours = {styles[f".{name}"]["background-color"] for name in ("healthy", "degraded", "down")}
    assert len(shapes) == len(colours) == 3


def test_positions_and_ids_do_not_change_with_the_state() -> None:
    calm = graph.elements(topology(), snapshot(), None)
    wild = graph.elements(topology(), snapshot(2, DOWN, 0.9, (fault(),)), "database")
    for a, b in zip(calm, wild, strict=True):
        assert a["data"]["id"] == b["data"]["id"]
        assert a.get("position") == b.get("position")


def test_callers_stand_left_of_what_they_call_even_in_a_cycle() -> None:
    places = graph.positions(topology())
    for caller, callees in CALLS.items():
        assert all(places[caller][0] < places[callee][0] for callee in callees)
    cyclic = topology()
    cyclic.services[3].dependencies.add(service="api-gateway")
    assert len(graph.positions(cyclic)) == 4


def test_a_fault_shows_its_badge_and_its_time_left() -> None:
    known = state(snapshot(5, faults=(fault(),)))
    assert "service kill" in shown(known, ids.card_part("database", "fault"))
    assert shown(known, ids.card_part("api-gateway", "fault")) == ""
    text = shown(known, ids.fault_text(0)).replace("\N{NO-BREAK SPACE}", " ")
    assert text == "⚡ service kill on database, 48 s left"
    assert leaves(known)[ids.fault_row(0), "className"] == "fault"
    assert leaves(known)[ids.fault_row(1), "className"] == "fault hidden"


def test_more_faults_than_rows_are_counted() -> None:
    many = tuple(fault(number=i) for i in range(ids.FAULT_SLOTS + 3))
    assert "and 3 more" in shown(state(snapshot(faults=many)), ids.fault_text(ids.FAULT_SLOTS - 1))


def test_a_lost_server_is_said_and_nothing_looks_alive() -> None:
    known = state(snapshot(10), connected=False)
    text = shown(known, ids.BANNER)
    assert "no SRE Edge server answers" in text
    assert "Last update 40" in text
    found = leaves(known)
    assert found[ids.BANNER, "className"] == "banner"
    assert found[ids.INJECT, "disabled"]
    assert "stale" in found[ids.card_part("database", "values"), "className"]
    assert shown(known, ids.card_part("database", "status")) == "◆ unknown"
    assert not leaves(state(snapshot(10)))[ids.INJECT, "disabled"]


def test_the_selected_service_fills_the_panel() -> None:
    known = state(snapshot())
    assert shown(known, ids.PANEL_TITLE) == "api-gateway"
    assert shown(known, ids.PANEL_TITLE, "database") == "database"
    assert shown(known, ids.PANEL_TITLE, "gone") == "api-gateway"
    assert "auth-service, user-service" in shown(known, ids.PANEL_NEEDS, "database")
    assert callbacks.selected("?service=database") == "database"
    assert callbacks.selected("") is None


def test_charts_hold_risk_and_six_metrics_with_gaps_objectives_and_faults() -> None:
    taken = [snapshot(i, faults=(fault(),) if 3 <= i <= 5 else ()) for i in range(1, 9)]
    taken[6].services[3].ClearField("cpu_percent")
    service = topology().services[3]
    figure = figures.charts(taken, service)
    assert len(figure["data"]) == 7
    cpu = next(line for line in figure["data"] if line["name"] == "CPU")
    assert cpu["y"][6] is None
    assert cpu["connectgaps"] is False
    lines = [s for s in figure["layout"]["shapes"] if s["type"] == "line"]
    bands = [s for s in figure["layout"]["shapes"] if s["type"] == "rect"]
    assert {line["y0"] for line in lines} == {500, 1, 99.9}
    assert (bands[0]["x0"], bands[0]["x1"]) == (
        START + timedelta(seconds=6), START + timedelta(seconds=10),
    )  # fmt: skip
    assert figures.charts([], None)["data"] == []


def test_events_tell_what_changed() -> None:
    def texts(before: snapshot_pb2.Snapshot | None, after: snapshot_pb2.Snapshot) -> list[str]:
        found = events.between(before, after)
        return [event.text.replace("\N{NO-BREAK SPACE}", " ") for event in found]

    calm, wild = snapshot(1), snapshot(2, DOWN, 0.9, (fault(),))
    assert texts(None, calm) == ["A new run begins"]
    assert texts(calm, snapshot(2)) == []
    happened = texts(calm, wild)
    assert happened[0] == "Service kill injected into database for 1 m"
    assert "Risk of database is critical: 90 %" in happened
    assert "database is down" in happened
    recovered = texts(wild, snapshot(3))
    assert "Service kill on database ended" in recovered
    assert "database is healthy again" in recovered
    assert texts(wild, snapshot(1, run_id="other")) == ["A new run begins"]


def test_the_effect_of_a_fault_is_said_in_words() -> None:
    def said(kind: fault_pb2.FaultKind.ValueType, intensity: float) -> str:
        return faults.effect(kind, intensity).replace("\N{NO-BREAK SPACE}", " ")

    assert said(fault_pb2.FAULT_KIND_CPU_SPIKE, 1.0) == "30 % more CPU"
    assert said(fault_pb2.FAULT_KIND_NETWORK_LATENCY, 0.5) == "500 ms more on every call to it"
    assert said(fault_pb2.FAULT_KIND_SERVICE_KILL, 3.0) == "100 % of its replicas are down"
    assert {kind for kind, _ in faults.kinds()} == set(fault_pb2.FaultKind.values()[1:])


def test_a_page_is_built_anew_only_for_another_topology() -> None:
    other = topology()
    other.services[3].dependencies.add(service="auth-service")
    assert view.topology_key(topology()) == view.topology_key(topology())
    assert view.topology_key(topology()) != view.topology_key(other)


def test_nothing_is_sent_while_nothing_changes() -> None:
    known = state(snapshot(4))
    assert view.version(known, "database") == view.version(known, "database") != ""
    assert view.version(known, "database") != view.version(state(snapshot(5)), "database")
    assert view.version(state(snapshot(4), connected=False), None) == ""


def test_numbers_are_short_and_have_units() -> None:
    def plain(text: str) -> str:
        return text.replace("\N{NO-BREAK SPACE}", " ")

    assert plain(number(0.0, "%")) == "0 %"
    assert plain(number(99.96, "%")) == "100 %"
    assert plain(number(1_234_567, "req/s")) == "1.23M req/s"
    assert number(float("nan"), "%") == number(None, "ms") == "–"
    assert plain(milliseconds(4313.2)) == "4313 ms"
    assert plain(milliseconds(12_000)) == "12 s"
    assert plain(probability(0.004)) == "<1 %"
    assert plain(probability(0.314)) == "31 %"
    assert plain(duration(80)) == "1 m 20 s"
    assert plain(duration(-3)) == "0 s"
