"""Forty metrics more, with tags of two bytes, are encoded both ways; no code knows their number."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ml.serving.predictor import Predictor
from server.pipeline.snapshot import Snapshot
from server.rpc.columns import varint
from server.rpc.snapshot_encoder import ENCODER, SnapshotEncoder
from server.sources.simulation import simulation
from server.systems.system import System
from sre_edge.v1 import simulation_service_pb2, snapshot_pb2
from telemetry.metrics import EDGE_METRICS, SERVICE_METRICS

FIRST, LAST = 21, 60
"""Numbers of the fields that are added."""

MORE = tuple(
    replace(SERVICE_METRICS[0], name=f"metric_{number}") for number in range(FIRST, LAST + 1)
)
MORE_OF_EDGES = tuple(replace(EDGE_METRICS[0], name=metric.name) for metric in MORE)


@pytest.fixture(scope="module")
def wide() -> type[Any]:
    """Make the class of a snapshot whose services and edges have more metrics."""
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/wide_snapshot.proto",
        package="tests.wide",
        syntax="proto3",
        dependency=["sre_edge/v1/snapshot.proto", *_dependencies()],
    )
    for known in (
        snapshot_pb2.Snapshot, snapshot_pb2.ServiceMetrics, snapshot_pb2.EdgeMetrics
    ):  # fmt: skip
        known.DESCRIPTOR.CopyToProto(file.message_type.add())
    whole, *parts = file.message_type
    for field in whole.field:
        if field.name in ("services", "edges"):
            field.type_name = field.type_name.replace(".sre_edge.v1.", ".tests.wide.")
    for part in parts:
        for metric, number in zip(MORE, range(FIRST, LAST + 1), strict=True):
            part.field.add(
                name=metric.name,
                number=number,
                type=descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
                label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
                proto3_optional=True,
                oneof_index=len(part.oneof_decl),
            )
            part.oneof_decl.add(name=f"_{metric.name}")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tests.wide.Snapshot"))


def _dependencies() -> list[str]:
    file = descriptor_pb2.FileDescriptorProto()
    snapshot_pb2.DESCRIPTOR.CopyToProto(file)
    return list(file.dependency)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """Give a snapshot with these metrics: some observed everywhere, some nowhere."""
    latest = System(simulation("boutique", 1), Predictor()).latest
    rng, graph = np.random.default_rng(7), latest.graph
    frame = copy.copy(latest.frame)
    for metrics, size in ((MORE, graph.services), (MORE_OF_EDGES, graph.edges)):
        for place, metric in enumerate(metrics):
            values = rng.normal(size=(1, size))
            seen = (0.0, 1.0, 0.5)[place % 3]
            object.__setattr__(
                frame, metric.field, np.where(rng.random((1, size)) < seen, values, np.nan)
            )
    return replace(latest, frame=frame)


@pytest.mark.parametrize("max_plain", [0, 1_000_000])
def test_all_of_them_arrive(wide: type[Any], snapshot: Snapshot, max_plain: int) -> None:
    encoder = SnapshotEncoder(
        wide, (*SERVICE_METRICS, *MORE), (*EDGE_METRICS, *MORE_OF_EDGES), max_plain=max_plain
    )
    message = _snapshot(wide, encoder.encode(snapshot, None))
    frame, graph = snapshot.frame, snapshot.graph
    assert len(message.services) == graph.services
    assert len(message.edges) == graph.edges
    for given, metrics in (
        (message.services, (*SERVICE_METRICS, *MORE)),
        (message.edges, (*EDGE_METRICS, *MORE_OF_EDGES)),
    ):  # fmt: skip
        for place, one in enumerate(given):
            for metric in metrics:
                value = getattr(frame, metric.field)[0, place]
                np.testing.assert_equal(getattr(one, metric.name), value)
    # An older client finds what it knows, as in a snapshot of its own time.
    for service in message.services:
        for metric in MORE:
            service.ClearField(metric.name)
    for edge in message.edges:
        for metric in MORE_OF_EDGES:
            edge.ClearField(metric.name)
    known = simulation_service_pb2.GetMetricsResponse.FromString(ENCODER.encode(snapshot, None))
    assert snapshot_pb2.Snapshot.FromString(message.SerializeToString()) == known.snapshot


def _snapshot(wide: type[Any], response: bytes) -> Any:
    """Read the snapshot out of a response, whose one field it is."""
    size = next(
        length
        for length in range(1, 10)
        if varint(len(response) - 1 - length) == response[1 : 1 + length]
    )
    return wide.FromString(response[1 + size :])
