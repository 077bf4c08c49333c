"""The Python clients keep the contract of all clients."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from sre_edge import AsyncClient, Client, Connected, SreEdgeError
from sre_edge.calls import stream
from sre_edge.exchange import Stubs, ask
from sre_edge.testing.handlers import _METHODS
from tests import partly_observed, processes
from tests.clients.contract import ORDERS, PARTLY_OBSERVED, Orders, check

STUBS = {
    "SimulationService": "simulation", "ChaosService": "chaos",
    "PredictionService": "prediction", "IncidentService": "incident",
    "SystemService": "system",
}  # fmt: skip


def described(order: dict[str, Any]) -> Any:
    """Describe a call of the list, as those of `sre_edge.calls`."""
    service, name = order["call"].removeprefix("sre_edge.v1.").split("/")
    method = _METHODS[f"/{order['call']}"]
    request = json_format.ParseDict(order["request"], GetMessageClass(method.input_type)())

    def find(stubs: Stubs) -> Any:
        return getattr(getattr(stubs, STUBS[service]), name)

    return ask(find, request)


def wanted(order: dict[str, Any]) -> Any:
    """Describe a stream of the list, that hands on every message as it came."""
    describe = {"StreamMetrics": stream.watch, "StreamEvents": stream.events}
    name = order["call"].split("/")[1]
    request = GetMessageClass(_METHODS[f"/{order['call']}"].input_type)()
    json_format.ParseDict(order["request"], request)
    fields = {field.name: value for field, value in request.ListFields()}
    return replace(describe[name](**fields), item=lambda message: message)


def answered(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def refused(error: SreEdgeError) -> dict[str, Any]:
    return {
        "code": error.code, "message": str(error), "reason": error.reason,
        "metadata": error.metadata,
        "violations": [{"field": v.field, "description": v.description} for v in error.violations],
    }  # fmt: skip


@pytest.fixture(params=["contract", "partly observed"])
def contract(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Orders]]:
    """Run a server; give its address, and what must come of calls to it."""
    if request.param == "contract":
        with processes.server() as address:
            yield address, ORDERS
    else:
        with partly_observed.server(tmp_path) as app:
            yield app.address, PARTLY_OBSERVED


def test_the_blocking_client_keeps_the_contract(contract: tuple[str, Orders]) -> None:
    address, orders = contract
    with Client(address) as client:
        for order in orders:
            try:
                if "messages" in order:
                    with client.subscribe(wanted(order)) as events:
                        items = (one for one in events if not isinstance(one, Connected))
                        taken = [*itertools.islice(items, order["messages"])]
                    outcome = {"answers": [answered(one) for one in taken]}
                else:
                    outcome = {"answers": [answered(client.call(described(order)))]}
            except SreEdgeError as error:
                outcome = refused(error)
            check(order, outcome)


async def test_the_asyncio_client_keeps_the_contract(contract: tuple[str, Orders]) -> None:
    address, orders = contract
    async with AsyncClient(address) as client:
        for order in orders:
            try:
                if "messages" in order:
                    taken: list[Any] = []
                    async with client.subscribe(wanted(order)) as events:
                        while len(taken) < order["messages"]:
                            event = await anext(events)
                            taken += [event] if not isinstance(event, Connected) else []
                    outcome = {"answers": [answered(one) for one in taken]}
                else:
                    outcome = {"answers": [answered(await client.call(described(order)))]}
            except SreEdgeError as error:
                outcome = refused(error)
            check(order, outcome)


def test_a_wrong_outcome_is_noticed() -> None:
    order = {"name": "n", "answers": [{"topology": {"services": [{"name": "web"}]}}]}
    check(order, {"answers": [{"topology": {"services": [{"name": "web", "replicas": 3}]}}]})
    for wrong in (
        {"answers": [{"topology": {"services": [{"name": "db"}]}}]},
        {"answers": [{"topology": {"services": []}}]},
        {"answers": [{}]},
        {"code": "NOT_FOUND", "reason": "UNKNOWN_SERVICE", "message": "no"},
    ):
        with pytest.raises(AssertionError):
            check(order, wrong)
