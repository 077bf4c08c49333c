"""What the pages show for a state, without a server or a browser."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from dashboard import ids, page, views
from dashboard.address import Address
from dashboard.markup import find, h, html, text_of
from dashboard.source.state import Records, State
from dashboard.views.markdown import nodes
from sre_edge.v1 import (
    experiment_pb2,
    model_pb2,
    server_info_pb2,
    simulation_service_pb2,
    snapshot_pb2,
)
from tests.dashboard.fakes import (
    START,
    FakeProvider,
    events,
    experiment,
    fault,
    incident,
    records,
    snapshot,
    state,
)

DOWN = snapshot_pb2.STATUS_DOWN
FULL = state(snapshot(30), records=records(), events=events())
EVERY_VIEW = [
    Address(view=view, service=service)
    for view in ("overview", "chaos", "predictions", "incidents", "architecture", "service")
    for service in ("", "database", "gone")
]


def drawn(known: State, **address: Any) -> views.Parts:
    return views.draw(known, Address(**address), FakeProvider(known))


def text(known: State, part: str, **address: Any) -> str:
    said = " ".join(text_of(node) for node in drawn(known, **address)[part])
    return " ".join(said.replace("\N{NO-BREAK SPACE}", " ").split())


@pytest.mark.parametrize("address", EVERY_VIEW, ids=lambda a: f"{a.view}-{a.service}")
def test_every_part_has_its_place_on_the_page(address: Address) -> None:
    written = page.index()
    for part in set(views.draw(FULL, address, FakeProvider(FULL))) - {ids.PAGE, ids.NAMES}:
        name = part.removeprefix("figure:")
        assert f'id="{name}"' in written or f'data-slot="{name}"' in written


def test_the_page_is_written_as_html_that_says_no_more_than_its_tree() -> None:
    assert html(h("a.b", "<i> & so", h("i"), title='"<')) == (
        '<a title="&quot;&lt;" class="b">&lt;i&gt; &amp; so<i></i></a>'
    )


@pytest.mark.parametrize("address", EVERY_VIEW, ids=lambda a: f"{a.view}-{a.service}")
@pytest.mark.parametrize(
    "known",
    [
        State(),
        state(snapshot(1)),
        FULL,
        state(snapshot(9), connected=False, records=records()),
        state(snapshot(9), records=Records(problems={"incidents": "no disk", "slos": "no disk"})),
    ],
    ids=["waiting", "fresh", "full", "disconnected", "records failed"],
)
def test_every_view_can_be_drawn_in_every_state(known: State, address: Address) -> None:
    parts = views.draw(known, address, FakeProvider(known))
    assert "nan" not in json.dumps(parts, allow_nan=False).lower().split('"')
    for name, part in parts.items():
        if isinstance(part, list) and name != ids.NAMES:
            assert all(isinstance(node, list | str) for node in part), name


def test_cards_show_six_metrics_status_and_risk_with_units() -> None:
    card = text(state(snapshot()), ids.SERVICES, find="database")
    for said in ("45.2 %", "50 %", "431 ms", "0 %", "1.23k req/s", "100 %", "● healthy", "2 % low"):
        assert said in card


def test_what_is_missing_is_an_en_dash() -> None:
    taken = snapshot()
    taken.services[3].ClearField("cpu_percent")
    taken.services[3].ClearField("prediction")
    card = text(state(taken), ids.SERVICES, find="database")
    assert "CPU –" in card
    assert "risk –" in card


@pytest.mark.parametrize(
    ("status", "risk", "word"),
    [
        (snapshot_pb2.STATUS_HEALTHY, 0.02, "Healthy"),
        (snapshot_pb2.STATUS_HEALTHY, 0.5, "At risk"),
        (snapshot_pb2.STATUS_DEGRADED, 0.02, "Degraded"),
        (snapshot_pb2.STATUS_HEALTHY, 1.0, "Critical"),
        (DOWN, 0.02, "Critical"),
    ],
)
def test_the_banner_says_how_the_system_is(
    status: snapshot_pb2.Status.ValueType, risk: float, word: str
) -> None:
    assert word in text(state(snapshot(status=status, risk=risk)), ids.BANNER)


def test_services_in_trouble_come_first_and_can_be_filtered() -> None:
    taken = snapshot()
    taken.services[3].status = DOWN
    cards = drawn(state(taken))[ids.SERVICES]
    assert cards[0][1]["data-service"] == "database"
    only = drawn(state(taken), unhealthy=True)[ids.SERVICES]
    assert [card[1]["data-service"] for card in only] == ["database"]
    assert "No service is in trouble" in text(state(snapshot()), ids.SERVICES, unhealthy=True)


def test_a_lost_server_is_said_and_nothing_looks_alive() -> None:
    known = state(snapshot(10), connected=False, records=records())
    notice = text(known, ids.NOTICES)
    assert "no SRE Edge server answers" in notice
    assert "Last update" in notice
    assert "◆ unknown" in text(known, ids.SERVICES)
    assert find(drawn(known, view="chaos")[ids.CHAOS_FORM][0], id="inject")[0][1]["disabled"] == ""
    assert not drawn(known)[ids.PAGE]["connected"]
    assert "disabled" not in find(drawn(FULL, view="chaos")[ids.CHAOS_FORM][0], id="inject")[0][1]


def test_a_moment_of_the_past_is_shown_as_such() -> None:
    known = state(snapshot(30))
    assert "History" in text(known, ids.NOTICES, at=START + timedelta(seconds=2))
    assert drawn(known, at=START + timedelta(seconds=2))[ids.PAGE]["replay"]
    gone = text(known, ids.NOTICES, at=START - timedelta(days=1))
    assert "This moment cannot be shown: the history holds no snapshot" in gone


def test_a_service_shows_risk_reasons_advice_path_neighbours_and_budget() -> None:
    body = text(FULL, ids.SERVICE_BODY, service="database")
    for said in (
        "Most likely: service down , 90 % confidence", "Restart database.", "replicas are missing",
        "Critical path of api-gateway", "It calls no other service.", "auth-service",
        "availability", "-5 %", "⚠ page",
    ):  # fmt: skip
        assert said in body
    assert "no such service" in text(FULL, ids.SERVICE_HEAD, service="gone")


def test_running_experiments_show_what_is_left_and_finished_ones_what_came_of_it() -> None:
    going = experiment(experiment_pb2.EXPERIMENT_STATE_RUNNING)
    known = state(snapshot(5), records=records(experiments=[going]))
    running = text(known, ids.RUNNING, view="chaos")
    assert "service kill on database" in running
    assert "48 s left" in running
    finished = text(FULL, ids.FINISHED, view="chaos")
    assert "12 s ahead" in finished
    assert "30 s" in finished
    outcome = text(FULL, ids.COMPARED, view="chaos", compare=("x-1",))
    assert "database after 16 s" in outcome
    assert "foretold: 12 s ahead" in outcome
    assert "also under x-2 , x-3" in outcome


def test_the_kill_switch_shows_that_it_is_on() -> None:
    taken = snapshot()
    taken.kill_switch = True
    known = state(taken, records=records())
    assert "The kill switch is on" in text(known, ids.NOTICES)
    assert "lift it" in text(known, ids.KILL_SWITCH, view="chaos")
    assert text(FULL, ids.KILL_SWITCH, view="chaos") == "Kill switch"


def test_events_are_filtered_and_lead_to_their_moment() -> None:
    assert "Service kill on database begins" in text(FULL, ids.EVENTS, view="incidents")
    only = text(FULL, ids.EVENTS, view="incidents", kind="alarm")
    assert "incident of database is expected" in only
    assert "kill" not in only
    nothing = text(FULL, ids.EVENTS, view="incidents", of="api-gateway")
    assert "Nothing of this kind" in nothing
    link = find(drawn(FULL, view="incidents")[ids.EVENTS][0], title="Show this moment")[0]
    assert link[1]["href"] == "/?service=database&at=2026-11-23T12%3A00%3A03.000Z"


def test_the_timeline_has_faults_alarms_and_incidents_in_their_place() -> None:
    lanes = drawn(FULL)[ids.TIMELINE]
    marks = [
        find(lane, key=key)[0] for lane, key in zip(lanes, ("f-1", "a-1", "i-1"), strict=False)
    ]
    assert [mark[0] for mark in marks] == ["a", "a", "a"]
    assert marks[0][1]["style"] == "left:79.33%;width:20.00%"  # of the five minutes up to 12:01:02
    assert "service kill on database" in marks[0][1]["title"]


def test_the_risk_table_sorts_by_any_column() -> None:
    def names(sort: str) -> list[str]:
        rows = drawn(FULL, view="predictions", sort=sort)[ids.RISKS]
        return [row[1]["key"] for row in find(rows[0])[0][2][3][2:]]

    assert names("service") == sorted(names("service"))
    assert names("-service") == sorted(names("service"), reverse=True)


def test_records_that_fail_say_so_and_offer_to_try_again() -> None:
    known = state(snapshot(), records=Records(problems={"incidents": "the database is gone"}))
    part = drawn(known, view="incidents")[ids.INCIDENTS]
    assert "the database is gone Try again" in text(known, ids.INCIDENTS, view="incidents")
    assert find(part[0], data_value_names="incidents")


def test_open_incidents_are_in_the_banner() -> None:
    known = state(snapshot(risk=1.0), records=records(incidents=[incident()]))
    said = text(known, ids.BANNER)
    assert "An incident is open" in said
    assert "foretold 12 s ahead" in said


def test_a_model_card_is_drawn_from_its_markdown() -> None:
    card = nodes(
        "# Title\n\nSome `code` and **more**.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )
    assert [node[0] for node in card] == ["h4", "p", "ul", "div"]
    assert text_of(card[1]).split() == ["Some", "code", "and", "more", "."]


def test_a_fault_is_on_the_card_of_its_target() -> None:
    card = text(state(snapshot(faults=(fault(),))), ids.SERVICES, find="database")
    assert "⚡ service kill" in card


def test_the_architecture_says_what_the_server_tells_of_its_parts() -> None:
    info = simulation_service_pb2.GetServerInfoResponse(
        model_version="2-abc",
        store="postgresql://db/edge",
        limits=server_info_pb2.ServerLimits(history=20),
        figures=server_info_pb2.ServerFigures(streams=3, event_streams=1, tick_seconds_mean=0.0042),
    )
    live = model_pb2.Model(version="2-abc", active=True, feature_count=107)
    known = state(snapshot(30), records=records(info=info, models=[live]), events=events())
    graph = drawn(known, view="architecture")[ids.ARCHITECTURE_GRAPH]
    labels = {node["id"].removeprefix("part:"): node["label"] for node in graph["nodes"]}
    for name, said in {
        "source": "default, 4 services", "features": "4 × 107", "model": "2-abc",
        "system": "4.2", "watcher": "3 events", "store": "PostgreSQL", "history": "20 of 20",
        "broadcast": "3 streams, 1 of events", "clients": "2 streams", "browser": "one of 2 tabs",
        "dashboard": "reads 127.0.0.1:50051",
    }.items():  # fmt: skip
        assert said in labels[name]
