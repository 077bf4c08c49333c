"""The client against a real server in a process of its own."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import sre_edge
from sre_edge import Client, Connected, Disconnected, InvalidRequest, NotFound, Unavailable
from sre_edge.v1 import fault_pb2, snapshot_pb2
from tests import processes


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with processes.server() as address:
        yield address


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target) as client:
        client.reset()
        yield client


def test_it_reads_and_predicts(client: Client) -> None:
    assert next(service.name for service in client.topology().services) == "api-gateway"
    assert [s.service for s in client.metrics(["database"]).services] == ["database"]
    answer = client.predict(["database"], include_features=True)
    assert len(answer.predictions[0].features) >= 40


def test_it_injects_and_stops(client: Client) -> None:
    fault = client.inject("database", "cpu_spike", duration_s=30, intensity=0.5, ramp_s=5)
    assert fault.kind == fault_pb2.FAULT_KIND_CPU_SPIKE
    assert [f.id for f in client.stop(fault.id)] == [fault.id]
    client.inject("database", "FAULT_KIND_CPU_SPIKE", duration_s=30)
    assert len(client.stop_all()) == 1
    assert client.stop_all() == []


def test_errors_are_typed_and_carry_their_reason(client: Client) -> None:
    with pytest.raises(NotFound, match="known: api-gateway") as missing:
        client.inject("databse", "cpu_spike", duration_s=30)
    assert missing.value.reason == "UNKNOWN_SERVICE"
    assert missing.value.metadata["service"] == "databse"
    with pytest.raises(InvalidRequest) as wrong:
        client.inject("database", "cpu_spike", duration_s=0)
    assert [violation.field for violation in wrong.value.violations] == ["duration"]


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, 1e300])
def test_what_cannot_be_sent_is_said_before_it_is_sent(client: Client, seconds: float) -> None:
    with pytest.raises(InvalidRequest, match="duration: expected a finite number"):
        client.inject("database", "cpu_spike", duration_s=seconds)
    with pytest.raises(InvalidRequest, match="kind: expected one of cpu_spike"):
        client.inject("database", "unspecified", duration_s=1)


def test_nobody_there_is_unavailable() -> None:
    with Client("127.0.0.1:1") as client:
        with pytest.raises(Unavailable, match=r"no SRE Edge server answers at 127\.0\.0\.1:1"):
            client.topology()
        with pytest.raises(Unavailable):
            next(client.watch(reconnect=False))


def test_watching_what_does_not_exist_ends(client: Client) -> None:
    with pytest.raises(NotFound):
        next(client.watch(["databse"]))


def test_the_stream_has_no_holes(client: Client) -> None:
    events = list(itertools.islice(client.watch(["database"]), 12))
    assert isinstance(events[0], Connected)
    numbers = [event.cursor.sequence for event in events[1:]]  # type: ignore[union-attr]
    assert numbers == list(range(numbers[0], numbers[0] + 11))


def test_the_stream_goes_on_after_the_server_is_back() -> None:
    events: list[Any] = []
    changed = threading.Condition()

    def follow(client: Client) -> None:
        try:
            for event in client.watch():
                with changed:
                    events.append(event)
                    changed.notify_all()
        except Exception:  # noqa: S110 - the channel was closed
            pass

    def kinds() -> list[type]:
        return [type(event) for event in events]

    def wait_for(condition: Any) -> None:
        with changed:
            assert changed.wait_for(condition, 30.0), kinds()[-5:]

    address = f"127.0.0.1:{processes.free_port()}"
    with processes.server(listen=address):
        client = Client(address)
        thread = threading.Thread(target=follow, args=(client,), daemon=True)
        thread.start()
        wait_for(lambda: kinds().count(snapshot_pb2.Snapshot) > 3)
    wait_for(lambda: Disconnected in kinds())
    seen = len(events)
    with processes.server(listen=address):
        wait_for(lambda: snapshot_pb2.Snapshot in kinds()[seen:])
        after = kinds()[seen:]
        assert after[:2] == [Connected, snapshot_pb2.Gap]
        gap = events[seen + 1]
        assert gap.reason == snapshot_pb2.GAP_REASON_RUN_ENDED
        client.close()
        thread.join(10.0)


def test_every_public_name_exists_and_errors_share_a_base() -> None:
    for name in sre_edge.__all__:
        assert hasattr(sre_edge, name)
    for name in ("Unavailable", "Refused", "InvalidRequest", "NotFound", "NotNow", "Failed"):
        assert issubclass(getattr(sre_edge, name), sre_edge.SreEdgeError)
