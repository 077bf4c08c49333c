"""The simulator keeps the contracts of the ports."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from server.errors import ServerError
from server.ports import Source, SourceError
from server.sources.simulation import simulation
from tests.server.sources.contract import (
    FaultInjectorContract,
    FrameSourceContract,
    LabelSourceContract,
)

NOW = datetime(2030, 1, 7, 12, 0, tzinfo=UTC)


@pytest.fixture
def source() -> Source:
    return simulation("default", 1).open(NOW)


class TestFrames(FrameSourceContract):
    pass


class TestFaults(FaultInjectorContract):
    pass


class TestLabels(LabelSourceContract):
    pass


def test_another_seed_and_another_topology() -> None:
    factory = simulation("default", 1)
    assert factory.altered("", None).open(NOW).seed == 1
    other = factory.altered("{name: other, services: [{name: a, dependencies: [b]}, {name: b}]}", 7)
    assert (other.open(NOW).seed, other.open(NOW).frames.graph.names) == (7, ("a", "b"))
    with pytest.raises(ServerError) as refused:
        factory.altered("services: [{name: a, replicas: none}]", None)
    assert [one.field for one in refused.value.violations] == ["topology.services[0].replicas"]


def test_a_topology_that_is_not_there_is_said() -> None:
    with pytest.raises(SourceError, match=r"nowhere\.yaml"):
        simulation("nowhere.yaml", 1)
