"""A database that does not answer for a while: calls that need it say so, the others go on."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from server.app import App
from server.records.systems import DEFAULT_SYSTEM
from server.store import StoreError, StoreLocation, activations, database, open_store, writer
from server.store.activations import Activation
from sre_edge.v1 import (
    chaos_service_pb2,
    incident_service_pb2,
    prediction_service_pb2,
    simulation_service_pb2,
)
from tests.conftest import StartServer
from tests.server.chaos_calls import KILL, tick
from tests.server.stubs import Stubs, reason, wait_for


@asynccontextmanager
async def locked(
    start_server: StartServer, directory: Path, monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> AsyncIterator[tuple[App, Stubs, sqlite3.Connection]]:
    """A server with a fault, and another program that holds a lock on its database."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 120.0)
    app = await start_server(speed=0.1, data=directory)
    other = sqlite3.connect(directory / "store.sqlite3")
    async with grpc.aio.insecure_channel(app.address) as channel:
        calls = Stubs(channel)
        await calls.inject(**KILL)
        monkeypatch.setattr(writer, "ANSWER_TIMEOUT_S", patience_s)
        monkeypatch.setattr(database, "CHANGE_TIMEOUT_S", patience_s)
        other.execute("BEGIN IMMEDIATE")
        yield app, calls, other


def listings(calls: Stubs, count: int) -> list[Any]:
    request = incident_service_pb2.ListIncidentsRequest()
    return [calls.incident.ListIncidents(request) for _ in range(count)]


async def test_a_file_that_another_program_locks_holds_up_no_other_call(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with locked(start_server, tmp_path, monkeypatch, 0.5) as (app, calls, other):
        (fault,) = app.only.system.tick().faults
        tick(app, 20)
        for call in (*listings(calls, 20), calls.inject(**KILL)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            assert reason(caught.value)[0] == "STORE_UNAVAILABLE"
        request = prediction_service_pb2.PredictRequest(explain=True)
        assert (await calls.prediction.Predict(request)).predictions
        assert [one.id for one in (await calls.snapshot()).active_faults] == [fault.id]
        other.rollback()
        other.close()
        monkeypatch.undo()
        listed = await calls.chaos.ListExperiments(chaos_service_pb2.ListExperimentsRequest())
        assert [one.id for one in listed.experiments] == [fault.experiment_id]


async def test_faults_are_stopped_and_streams_begin_while_many_wait_for_the_database(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with locked(start_server, tmp_path, monkeypatch, 120.0) as (app, calls, other):
        (fault,) = app.only.system.tick().faults
        listing = listings(calls, 40)
        await calls.simulation.GetServerInfo(simulation_service_pb2.GetServerInfoRequest())
        stop = chaos_service_pb2.StopChaosRequest(all=True)
        stopping = asyncio.ensure_future(calls.chaos.StopChaos(stop, timeout=60))
        await wait_for(lambda: not app.only.system.tick().faults)
        assert not stopping.done()  # it has taken effect; that it is stored is not true yet
        stream = calls.simulation.StreamMetrics(
            simulation_service_pb2.StreamMetricsRequest(), timeout=60
        )
        assert (await stream.read()).snapshot.services
        stream.cancel()
        other.rollback()
        other.close()
        assert [one.id for one in (await stopping).stopped] == [fault.id]
        for call in listing:
            assert not (await call).incidents


def test_whoever_waits_is_told_in_time_and_what_waits_is_counted(
    where: StoreLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "ANSWER_TIMEOUT_S", 0.2)
    store = open_store(where)
    released = threading.Event()
    store.offer(lambda _: released.wait(30.0))
    store.offer(lambda _: None)
    with pytest.raises(StoreError, match=r"no answer within 0\.2 s"):
        store.ask(lambda _: None)
    store._writer.close()
    assert store.lost >= 2
    released.set()
    store._writer._thread.join(30.0)
    store.close()


def test_what_was_refused_since_it_took_too_long_is_not_done_later(
    where: StoreLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(where)
    released = threading.Event()
    store.offer(lambda _: released.wait(30.0))
    activation = Activation(DEFAULT_SYSTEM, "3-a", datetime(2030, 1, 1, tzinfo=UTC), "asked for")
    with monkeypatch.context() as impatient:
        impatient.setattr(writer, "ANSWER_TIMEOUT_S", 0.2)
        with pytest.raises(StoreError, match="no answer"):
            store.ask(lambda connection: activations.add(connection, activation))
    released.set()
    assert store.ask(lambda c: activations.latest(c, DEFAULT_SYSTEM)) is None
    store.close()
