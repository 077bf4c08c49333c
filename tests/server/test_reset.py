"""A fresh start: of the same system or of another one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import grpc
import pytest

from server.app import App
from simulator import topologies
from simulator.topologies import SHIPPED
from sre_edge.v1 import chaos_service_pb2, snapshot_pb2
from sre_edge.v1 import simulation_service_pb2 as pb
from tests.server.stubs import Stubs, drained, reason, sharing, violations

SHOP = """
name: shop
services:
  - {name: web, kind: gateway, dependencies: [cart]}
  - {name: cart, dependencies: [database]}
  - {name: database, kind: database}
"""


@pytest.mark.parametrize("kind", ["yaml", "json"])
async def test_a_topology_document_becomes_the_system(stubs: Stubs, kind: str) -> None:
    stream = stubs.simulation.StreamMetrics(pb.StreamMetricsRequest())
    await stream.read()
    document = {"services": [{"name": "web", "dependencies": ["cart"]}, {"name": "cart"}]}
    text = SHOP if kind == "yaml" else json.dumps(document)
    answer = await stubs.simulation.Reset(pb.ResetRequest(topology=text, seed=3))
    names = ["web", "cart", "database"] if kind == "yaml" else ["web", "cart"]
    topology = await stubs.simulation.GetTopology(pb.GetTopologyRequest())
    assert topology.run_id == answer.run_id
    assert [service.name for service in topology.topology.services] == names
    while not (message := await stream.read()).HasField("gap"):
        pass
    assert message.gap.reason == snapshot_pb2.GAP_REASON_RUN_ENDED
    following = (await stream.read()).snapshot
    assert following.cursor.sequence == 1
    assert [service.service for service in following.services] == names
    stream.cancel()


@sharing
@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("services: [{name: web, colour: red}]", "topology.services[0].colour", "one of the keys"),
        ("services: [{name: web}, {name: web}]", "topology.services[1].name", "a unique name"),
        ("services: [{name: a, dependencies: [b]}]", "topology.services[0].dependencies[0]", "'b'"),
        ("services: []", "topology.services", "1 to"),
        ("services: [", "topology", "expected YAML or JSON"),
        ("{", "topology", "expected"),
        ("- a", "topology", "expected a mapping"),
        ("a: &x [1]\nservices: *x", "topology", "no alias"),
        ("[" * 100_000, "topology", ""),
        ('{"a":' * 100_000, "topology", ""),
        ("services: " + "[" * 100_000, "topology", "levels of nesting"),
        ("? [a]\n: b", "topology", "text as a key"),
        ("\x00", "topology", ""),
    ],
)
async def test_each_problem_is_a_violation_with_its_path_and_nothing_changes(
    shared: Stubs, text: str, field: str, expected: str
) -> None:
    before = await shared.snapshot()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shared.simulation.Reset(pb.ResetRequest(topology=text))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert reason(caught.value)[0] == "INVALID_FIELD"
    assert expected in violations(caught.value)[field]
    assert (await shared.snapshot()).cursor.run_id == before.cursor.run_id


@sharing
async def test_a_topology_that_is_too_large_is_refused(
    shared: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sources.simulation.MAX_SERVICES", 2)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shared.simulation.Reset(pb.ResetRequest(topology=SHOP))
    assert "at most 2 services" in violations(caught.value)["topology"]


async def test_a_stream_of_a_service_that_is_gone_ends_and_says_so(stubs: Stubs) -> None:
    def watch(
        name: str,
    ) -> grpc.aio.UnaryStreamCall[pb.StreamMetricsRequest, pb.StreamMetricsResponse]:
        return stubs.simulation.StreamMetrics(pb.StreamMetricsRequest(services=[name]))

    gone, stays = watch("user-service"), watch("database")
    await gone.read()
    await stays.read()
    await stubs.simulation.Reset(pb.ResetRequest(topology=SHOP))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(drained(gone), 10.0)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    while not (await stays.read()).HasField("gap"):
        pass
    assert [s.service for s in (await stays.read()).snapshot.services] == ["database"]
    stays.cancel()


async def test_every_shipped_topology_can_be_sent_as_text(stubs: Stubs) -> None:
    for name in SHIPPED:
        text = (Path(topologies.__file__).parent / f"{name}.yaml").read_text()
        await stubs.simulation.Reset(pb.ResetRequest(topology=text))
        topology = await stubs.simulation.GetTopology(pb.GetTopologyRequest())
        assert topology.topology.name == name


async def test_a_caller_who_gives_up_in_time_changes_nothing(app: App, stubs: Stubs) -> None:
    run = app.only.system.run.id
    services = [{"name": f"s{i}", "dependencies": [f"s{i + 1}"]} for i in range(300)]
    text = json.dumps({"services": [*services, {"name": "s300"}]})  # takes seconds to prepare
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.simulation.Reset(pb.ResetRequest(topology=text), timeout=0.05)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    seen = {(await stubs.snapshot()).cursor.run_id for _ in range(3)}
    assert seen == {run}


async def test_a_large_topology_fits_and_other_requests_stay_small(stubs: Stubs) -> None:
    services = [
        {"name": f"service-{i}", "dependencies": [f"service-{i + 1}"] if i % 10 < 9 else []}
        for i in range(1000)
    ]
    text = json.dumps({"name": "large", "services": services}, indent=90)
    assert len(text) > 1 << 20
    await stubs.simulation.Reset(pb.ResetRequest(topology=text))
    assert len((await stubs.snapshot()).services) == 1000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.chaos.RunScenario(chaos_service_pb2.RunScenarioRequest(document=text))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason(caught.value)[:2] == ("REQUEST_TOO_LARGE", {"limit": "1048576"})


async def test_a_shipped_topology_is_known_by_its_name(stubs: Stubs) -> None:
    await stubs.simulation.Reset(pb.ResetRequest(topology="deep-chain"))
    answer = await stubs.simulation.GetTopology(pb.GetTopologyRequest())
    assert answer.topology.name == "deep-chain"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.simulation.Reset(pb.ResetRequest(topology="deep-chian"))
    assert list(violations(caught.value)) == ["topology"]
