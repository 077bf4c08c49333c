"""The graph says all that the server tells of a system."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from server.pipeline.objectives import Objectives
from server.rpc import convert
from simulator.topologies import SHIPPED, shipped
from simulator.topology.generator import random_topology
from sre_edge.v1 import topology_pb2
from telemetry.graph import ServiceGraph


@pytest.mark.parametrize("system", [*map(shipped, SHIPPED), random_topology(40, 3)])
def test_what_the_api_says_is_what_the_topology_states(system: object) -> None:
    assert isinstance(system, type(shipped("default")))
    message = convert.topology(system.graph())
    assert message.name == system.name
    for found, stated in zip(message.services, system.services, strict=True):
        assert (found.name, found.replicas) == (stated.name, stated.replicas)
        assert topology_pb2.ServiceKind.Name(found.kind) == f"SERVICE_KIND_{stated.kind.upper()}"
        assert (found.entry, found.ingress_rps) == (stated.ingress_rps > 0, stated.ingress_rps)
        for name in ("latency_ms", "error_rate_percent", "availability_percent", "throughput_rps"):
            assert getattr(found.slo, name) == getattr(stated.slo, name)
        assert [call.service for call in found.dependencies] == [
            call.service for call in stated.dependencies
        ]
        for call, meant in zip(found.dependencies, stated.dependencies, strict=True):
            assert (call.calls_per_request, call.retries, call.required) == (
                meant.calls_per_request, meant.retries, meant.required,
            )  # fmt: skip
            assert call.timeout.ToTimedelta().total_seconds() == pytest.approx(
                meant.timeout_ms / 1e3, abs=1e-6
            )


def test_what_is_not_known_is_never_zero() -> None:
    graph = shipped("default").graph()
    unknown = {
        field.name: np.full_like(value, np.nan)
        for field in dataclasses.fields(ServiceGraph)
        if isinstance(value := getattr(graph, field.name), np.ndarray) and value.dtype == float
    }
    message = convert.topology(dataclasses.replace(graph, **unknown))
    for service in message.services:
        assert np.isnan(service.ingress_rps)
        assert np.isnan(service.slo.latency_ms)
        assert not service.slo.HasField("throughput_rps")
        for call in service.dependencies:
            assert np.isnan(call.calls_per_request)
            assert not call.HasField("timeout")


def test_a_percentile_allows_what_is_above_it_to_be_slower() -> None:
    graph = shipped("default").graph()
    assert Objectives.of(graph).allowed[0].tolist() == [0.05] * 4
    stricter = dataclasses.replace(graph, slo_latency_percentile=np.array([50.0, 90.0, 95.0, 99.0]))
    assert Objectives.of(stricter).allowed[0].tolist() == [0.5, 0.1, 0.05, 0.01]
