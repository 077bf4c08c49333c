"""The blocking and the asyncio client: two ways to make the same calls."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2

import sre_edge
import sre_edge.testing
from sre_edge import (
    AsyncClient,
    Client,
    InvalidRequest,
    NotFound,
    Refused,
    TooOld,
    Unavailable,
)
from sre_edge.calls.descriptors import Call, Follow, Subscribe
from sre_edge.methods import Methods
from sre_edge.testing import Failure, FakeServer
from sre_edge.testing.handlers import _METHODS
from sre_edge.v1 import chaos_service_pb2, experiment_pb2, training_pb2

NEEDED = {
    "metrics": ["cpu_percent"], "target": "database", "kind": "cpu_spike", "duration_s": 30,
    "document": "[]", "fault_id": "f-1", "experiment_id": "x-1", "version": "2-a",
    "entry": "id: a", "system_id": "a",
}  # fmt: skip
"""Values of the parameters that have no default."""


def listed(kind: type) -> list[str]:
    return [name for name, value in inspect.getmembers_static(Methods) if isinstance(value, kind)]


def options(name: str) -> dict[str, Any]:
    parameters = list(inspect.signature(getattr(Client, name)).parameters.values())[1:]
    return {one.name: NEEDED[one.name] for one in parameters if one.default is one.empty}


CALLS = {name: options(name) for name in listed(Call)}
STREAMS = listed(Subscribe)


def test_both_have_every_call_with_the_same_parameters() -> None:
    def calls(kind: type) -> dict[str, str]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {
            name: str(list(inspect.signature(method).parameters.values()))
            for name, method in methods
            if not name.startswith("_") and name not in ("close", "call", "subscribe")
        }

    assert calls(Client) == calls(AsyncClient)
    assert set(calls(Client)) == {*CALLS, *listed(Follow), *STREAMS}
    assert len(calls(Client)) >= 29
    assert list(inspect.signature(Client("127.0.0.1:1").stop).parameters) == ["fault_id"]
    for name in calls(Client):
        assert getattr(Client, name).__doc__ == getattr(AsyncClient, name).__doc__


async def test_both_reach_every_call_of_the_api(fake: FakeServer) -> None:
    finished = experiment_pb2.Experiment(state=experiment_pb2.EXPERIMENT_STATE_FINISHED)
    ended = training_pb2.Training(state=training_pb2.TRAINING_STATE_KEPT)
    fake.answers["GetExperiment"] = chaos_service_pb2.GetExperimentResponse(experiment=finished)

    def blocking() -> dict[str, Any]:
        with Client(fake.target) as client:
            for name in STREAMS:
                with getattr(client, name)() as opened:
                    threading.Timer(0.3, opened.close).start()
                    list(opened)
            answers = {name: getattr(client, name)(**needed) for name, needed in CALLS.items()}
            (answers["followed"],) = client.follow_experiment("x-1")
            return answers

    told = await asyncio.to_thread(blocking)
    assert {method.name for method in _METHODS.values()} == {name for name, _ in fake._requests}
    fake._requests.clear()
    async with AsyncClient(fake.target) as client:
        for name in STREAMS:
            async with getattr(client, name)() as opened:
                asyncio.get_running_loop().call_later(0.3, opened.close)
                assert isinstance([event async for event in opened], list)
        for name, needed in CALLS.items():
            answer = await getattr(client, name)(**needed)
            assert type(answer) is type(told[name]), name
        assert [one async for one in client.follow_experiment("x-1")] == [told["followed"]]
    assert {method.name for method in _METHODS.values()} == {name for name, _ in fake._requests}
    assert ended.state  # a training that runs is followed in tests/server/test_learning.py


async def test_errors_say_the_same_in_both(fake: FakeServer) -> None:
    fake.answers["Reset"] = Failure(
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "seed: expected less",
        violations={"seed": "expected less"},
    )  # fmt: skip
    fake.answers["RunScenario"] = Failure(
        grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", metadata={"request_id": "a"}
    )
    fake.unknown.add("GetServerInfo")

    def blocking(name: str, *values: Any) -> sre_edge.SreEdgeError:
        with Client(fake.target) as client, pytest.raises(sre_edge.SreEdgeError) as raised:
            getattr(client, name)(*values)
        return raised.value

    async def waiting(name: str, *values: Any) -> sre_edge.SreEdgeError:
        async with AsyncClient(fake.target) as client:
            with pytest.raises(sre_edge.SreEdgeError) as raised:
                await getattr(client, name)(*values)
        return raised.value

    for call, kind, code, reason, fields in (
        (("reset", 3), InvalidRequest, "INVALID_ARGUMENT", "INVALID_FIELD", ["seed"]),
        (("run_scenario", "[]"), Refused, "ALREADY_EXISTS", "REQUEST_ID_REUSED", []),
        (("metrics", ["databse"]), NotFound, "NOT_FOUND", "UNKNOWN_SERVICE", []),
        (("info",), TooOld, "UNIMPLEMENTED", "", []),
    ):
        one, other = await asyncio.to_thread(blocking, *call), await waiting(*call)
        assert type(one) is type(other) is kind
        assert (one.code, one.reason) == (other.code, other.reason) == (code, reason)
        assert str(one) == str(other)
        assert one.metadata == other.metadata
        assert [v.field for v in one.violations] == [v.field for v in other.violations] == fields
    assert "older than this client" in str(one)


async def test_an_error_that_was_replaced_on_the_way_is_one_of_the_client_too() -> None:
    # As gRPC does with an error that is too long: another status beside the old details.
    status = status_pb2.Status(code=grpc.StatusCode.NOT_FOUND.value[0], message="no such model")

    def answer(_: Any, context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too long")

    server = grpc.server(ThreadPoolExecutor(2))
    methods = {"GetModel": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_registered_method_handlers("sre_edge.v1.PredictionService", methods)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    with Client(target) as client, pytest.raises(sre_edge.SreEdgeError, match="too long") as raised:
        await asyncio.to_thread(client.model, "2-a")
    async with AsyncClient(target) as waiting:
        with pytest.raises(sre_edge.SreEdgeError, match="too long") as other:
            await waiting.model("2-a")
    assert raised.value.code == other.value.code == "RESOURCE_EXHAUSTED"
    await asyncio.to_thread(server.stop(None).wait)


async def test_what_is_for_this_machine_goes_through_no_proxy(
    fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with Client(fake.target) as client:
        assert (await asyncio.to_thread(client.topology)).name == "fake"
    async with AsyncClient(fake.target) as waiting:
        assert (await waiting.topology()).name == "fake"


def failing(times: int, then: Any) -> Callable[[Any], Any]:
    """Answer UNAVAILABLE so many times, then with a message."""
    left = iter(range(times))

    def answer(_: Any) -> Any:
        if next(left, None) is not None:
            raise Failure(grpc.StatusCode.UNAVAILABLE)
        return then

    return answer


async def test_what_may_be_sent_again_is_and_what_may_not_is_not(fake: FakeServer) -> None:
    accepted = chaos_service_pb2.InjectChaosResponse()
    fake.answers["Reset"] = Failure(grpc.StatusCode.UNAVAILABLE)
    fake.answers["InjectChaos"] = failing(2, accepted)
    with Client(fake.target) as client:
        await asyncio.to_thread(client.inject, "database", "cpu_spike", duration_s=1)
        with pytest.raises(Unavailable):
            await asyncio.to_thread(client.reset)
    requests = fake.requests("InjectChaos")
    assert len(requests) == 3
    assert len({request.request_id for request in requests}) == 1
    assert requests[0].request_id
    assert len(fake.requests("Reset")) == 1
    fake.answers["InjectChaos"] = failing(2, accepted)
    async with AsyncClient(fake.target) as waiting:
        await waiting.inject("database", "cpu_spike", duration_s=1, request_id="mine")
    assert [request.request_id for request in fake.requests("InjectChaos")[3:]] == ["mine"] * 3


async def test_a_server_that_does_not_answer_in_time_is_unavailable(fake: FakeServer) -> None:
    waiting = threading.Event()
    fake.answers["GetTopology"] = lambda _: waiting.wait(30)  # type: ignore[assignment,return-value]
    with Client(fake.target, timeout_s=0.2) as client, pytest.raises(Unavailable) as late:
        await asyncio.to_thread(client.topology)
    assert late.value.code == "DEADLINE_EXCEEDED"
    async with AsyncClient(fake.target, timeout_s=0.2) as other:
        with pytest.raises(Unavailable):
            await other.topology()
    waiting.set()
