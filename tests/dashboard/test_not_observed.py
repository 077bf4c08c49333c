"""What is not observed is missing on every page: never 0, never "nan", and old values say so."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from dashboard import ids, views
from dashboard.address import Address
from dashboard.figures import service_charts
from dashboard.figures.service_charts import History, Notes
from dashboard.graph import elements
from dashboard.markup import text_of
from dashboard.source.state import State
from server.rpc.catalog import catalog
from sre_edge.v1 import prediction_service_pb2, snapshot_pb2, topology_pb2
from tests.dashboard.fakes import (
    START,
    FakeProvider,
    events,
    records,
    snapshot,
    state,
    topology,
)

NAN = math.nan
UNKNOWN = snapshot_pb2.STATUS_UNKNOWN
EVERY_VIEW = [
    Address(view=view, service="database", sort=sort)
    for view, sort in (
        ("overview", ""), ("chaos", ""), ("predictions", "-status"), ("predictions", "status"),
        ("incidents", ""), ("architecture", ""), ("service", ""),
    )
]  # fmt: skip


def partly(sequence: int = 30, *, unset: bool = False) -> snapshot_pb2.Snapshot:
    """Give a snapshot in which nothing of the database is known, and little of its calls.

    `unset`: as a server says it that does not send NaN.
    """
    taken = snapshot(sequence)
    database = taken.services[3]
    database.status = UNKNOWN
    for message in (database, taken.edges[1], taken.edges[2]):
        for field in message.DESCRIPTOR.fields:
            if field.cpp_type == field.CPPTYPE_DOUBLE and field.has_presence:
                message.ClearField(field.name)
                if not unset:
                    setattr(message, field.name, NAN)
    return taken


def known(*taken: snapshot_pb2.Snapshot) -> State:
    return state(*taken, records=records(), events=events())


def text(shown: State, part: str, **address: Any) -> str:
    found = views.draw(shown, Address(**address), FakeProvider(shown))[part]
    said = " ".join(text_of(node) for node in found)
    return " ".join(said.replace("\N{NO-BREAK SPACE}", " ").split())


@pytest.mark.parametrize("address", EVERY_VIEW, ids=lambda a: f"{a.view} {a.sort}")
def test_nan_looks_as_what_is_unset_and_neither_as_zero_nor_as_nan(address: Address) -> None:
    parts = []
    for unset in (False, True):
        shown = known(*(partly(number, unset=unset) for number in (28, 29, 30)))
        parts.append(views.draw(shown, address, FakeProvider(shown)))
    assert parts[0] == parts[1]
    assert "nan" not in json.dumps(parts[0], allow_nan=False).lower().replace('"', " ").split()


def test_a_card_has_dashes_a_line_with_a_gap_and_a_status_of_its_own() -> None:
    card = text(known(partly()), ids.SERVICES, find="database")
    assert "◆ unknown" in card
    for label in ("CPU", "Memory", "Latency", "Errors", "Throughput", "Availability"):
        assert f"{label} –" in card
    assert " 0" not in card.partition("risk")[0]
    (drawn,) = views.draw(
        known(snapshot(28), partly(29), snapshot(30)),
        Address(find="database"),
        FakeProvider(known(partly())),
    )[ids.SERVICES]
    assert json.dumps(drawn).count("M0.0 1.0M100.0 1.0") == 1  # two strokes, and nothing between


def test_old_values_say_how_old_they_are_and_fresh_ones_say_nothing() -> None:
    taken = snapshot(30)
    taken.services[3].requests_age_seconds = 12
    taken.services[2].resources_age_seconds = 1.5
    for part, address in (
        (ids.SERVICES, {"find": "database"}),
        (ids.SERVICE_HEAD, {"view": "service", "service": "database"}),
    ):
        assert "requests 12 s old" in text(known(taken), part, **address)
    for name in ("user-service", "auth-service"):
        assert " old" not in text(known(taken), ids.SERVICES, find=name)


def test_those_that_are_not_observed_are_counted_and_do_not_make_the_rest_ill() -> None:
    shown = known(partly())
    banner = text(shown, ids.BANNER)
    assert "Healthy" in banner
    assert "1 of 4 services is not observed." in banner
    assert "◆ 1" in text(shown, ids.HEALTH)
    nothing = known(snapshot(30, UNKNOWN))
    assert "Unknown" in text(nothing, ids.BANNER)
    assert "4 of 4 services are not observed." in text(nothing, ids.BANNER)


def test_the_unknown_stand_between_the_ill_and_the_healthy() -> None:
    taken = partly()
    taken.services[2].status = snapshot_pb2.STATUS_DEGRADED
    order = ["user-service", "database", "api-gateway", "auth-service"]
    parts = views.draw(known(taken), Address(), FakeProvider(known(taken)))
    assert [card[1]["data-service"] for card in parts[ids.SERVICES]] == order
    table = text(known(taken), ids.RISKS, view="predictions", sort="-status")
    places = [table.index(name) for name in ("user-service", "database", "auth-service")]
    assert places == sorted(places)


def test_an_edge_that_is_not_observed_has_no_rate_and_no_errors() -> None:
    taken = partly()
    taken.edges[0].age_seconds = 8
    gateway_auth, gateway_user, auth_database, user_database = elements.drawing(
        topology(), taken, Address()
    )["edges"]
    assert gateway_auth["label"].replace("\N{NO-BREAK SPACE}", " ") == "120 /s, 8 s old"
    assert gateway_user["label"] == auth_database["label"] == "–"
    assert gateway_user["width"] == elements.width(0.0)
    assert "fine" in gateway_user["classes"]
    assert user_database["label"].replace("\N{NO-BREAK SPACE}", " ") == "120 /s"


def test_edges_that_are_drawn_as_one_leave_out_what_is_not_observed() -> None:
    rates = [
        (snapshot_pb2.EdgeMetrics(error_rate_percent=10.0), 30.0),
        (snapshot_pb2.EdgeMetrics(error_rate_percent=NAN), 1000.0),
        (snapshot_pb2.EdgeMetrics(error_rate_percent=40.0), 10.0),
    ]
    assert elements._error_rate(rates) == 17.5
    assert elements._error_rate(rates[1:2]) is None


class Unseen(FakeProvider):
    """A provider of analyses without health."""

    def analysis(self, service: str) -> prediction_service_pb2.GetAnalysisResponse:
        found = super().analysis(service)
        found.services[0].health = NAN
        return found


def test_the_analysis_of_what_is_not_observed_has_no_health() -> None:
    shown = known(partly())
    body = views.draw(shown, Address(view="service", service="database"), Unseen(shown))
    assert "Health–" in " ".join(text_of(node) for node in body[ids.SERVICE_BODY]).replace(" ", "")


def test_an_objective_that_is_not_known_has_no_line() -> None:
    service = topology_pb2.Service(name="web")
    service.slo.latency_ms = service.slo.error_rate_percent = NAN
    service.slo.availability_percent = 99.9
    shown = service_charts.panels(catalog())
    figure = service_charts.charts(shown, History(), service, Notes(), (START, START))
    assert [line["y0"] for line in figure["layout"]["shapes"]] == [99.9]
