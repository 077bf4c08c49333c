"""The catalog: what a client learns of metrics and faults without tables of its own."""

from __future__ import annotations

import math

import pytest

from sre_edge.calls.chaos import fault_kinds
from sre_edge.v1 import catalog_pb2, fault_pb2
from sre_edge.v1 import chaos_service_pb2 as chaos_pb
from sre_edge.v1 import simulation_service_pb2 as pb
from telemetry.faults import AMOUNT, FAULTS
from telemetry.metrics import HISTORY_METRICS, METRICS
from tests.server.stubs import Stubs


@pytest.fixture
async def catalog(stubs: Stubs) -> catalog_pb2.Catalog:
    return (await stubs.simulation.GetCatalog(pb.GetCatalogRequest())).catalog


async def test_every_metric_and_every_kind_is_there_as_the_tables_say(
    catalog: catalog_pb2.Catalog,
) -> None:
    for found, metric in zip(catalog.metrics, METRICS, strict=True):
        assert (found.name, found.unit, found.title) == (metric.name, metric.unit, metric.title)
        assert (found.overview, found.chart) == (metric.overview, metric.chart)
        assert (found.maximum if found.HasField("maximum") else None) == metric.max
        worse = found.higher_is_worse if found.HasField("higher_is_worse") else None
        assert worse is metric.higher_is_worse
    for fault, (kind, stated) in zip(catalog.faults, FAULTS.items(), strict=True):
        assert fault_pb2.FaultKind.Name(fault.kind) == f"FAULT_KIND_{kind.name}"
        assert (fault.label, fault.amount, fault.unit) == (stated.label, stated.amount, stated.unit)
        most = fault.maximum_amount if fault.HasField("maximum_amount") else math.inf
        assert most == stated.max_amount
        assert AMOUNT in fault.sentence
        assert len(fault.targets) == len(list(stated.targets))
    assert [kind.value for kind in FAULTS] == fault_kinds()


async def test_what_it_names_can_be_asked_for(stubs: Stubs, catalog: catalog_pb2.Catalog) -> None:
    named = [m.name for m in catalog.metrics if m.scope == catalog_pb2.METRIC_SCOPE_SERVICE]
    assert named == list(HISTORY_METRICS)
    request = pb.QueryHistoryRequest(services=["database"], metrics=named)
    answer = await stubs.simulation.QueryHistory(request)
    assert [series.metric for series in answer.series] == named


async def test_what_it_allows_is_accepted(stubs: Stubs, catalog: catalog_pb2.Catalog) -> None:
    targets = {
        catalog_pb2.FAULT_TARGET_SERVICE: "database",
        catalog_pb2.FAULT_TARGET_ENTRY: "api-gateway",
        catalog_pb2.FAULT_TARGET_EDGE: "auth-service->database",
        catalog_pb2.FAULT_TARGET_NOTHING: "",
    }
    for kind in catalog.faults:
        for target in kind.targets:
            request = chaos_pb.InjectChaosRequest(
                target=targets[target], kind=kind.kind, duration=kind.maximum_duration,
                intensity=kind.maximum_intensity,
            )  # fmt: skip
            assert (await stubs.chaos.InjectChaos(request)).fault.kind == kind.kind
