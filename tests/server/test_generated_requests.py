"""Whatever is sent: no crash, no INTERNAL, and a call that is refused changes nothing.

The calls are found by reflection, so that new ones are covered as they come. `EXAMPLES` in the
environment says how many requests each call gets, and `CALLS` which calls, such as
`Predict,Reset`; `make soak` sends 10,000 to each.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from server.app import App, start
from server.settings import Settings
from server.store.location import DATABASE
from tests.server import generated

FEW = int(os.environ.get("EXAMPLES", "60"))
MANY = int(os.environ.get("EXAMPLES", "500"))
ASKED = frozenset(filter(None, os.environ.get("CALLS", "").split(",")))
DEADLINE_S = 20.0
DEFECTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE)

Make = Callable[[MethodDescriptor], st.SearchStrategy[bytes]]


class Server:
    """A real server whose event loop runs in a thread, and a channel to it."""

    def __init__(self, data: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        stated = Settings(listen="127.0.0.1:0", metrics_listen="127.0.0.1:0", speed=0.1, data=data)
        self.app: App = self.do(start(stated))
        self.channel = grpc.insecure_channel(self.app.address)
        # Its data_version is another one after each change that anybody else commits.
        self._records = sqlite3.connect(data / DATABASE)

    def do(self, coroutine: Any) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return done.result(120)

    def close(self) -> None:
        self.channel.close()
        self._records.close()
        self.do(self.app.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def send(self, method: MethodDescriptor, data: bytes) -> grpc.StatusCode:
        """Send bytes to a call, wait for it to be taken or refused, and give the status."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        try:
            if method.server_streaming:
                stream = self.channel.unary_stream(path)(data, timeout=DEADLINE_S)
                next(stream, None)
                stream.cancel()
            else:
                self.channel.unary_unary(path)(data, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def state(self) -> tuple[Any, ...]:
        """Give all that a call could change, while the clock stands still."""
        system = self.app.only.system
        self.app.store.ask(lambda _: None)  # after what waits to be written
        (written,) = self._records.execute("PRAGMA data_version").fetchone()
        return (
            system.run.id, system.latest.sequence, system.clock, system.kill_switch.engaged,
            system.unfinished_experiments(), system.events.latest,
            system._present.faults.active(), system.model_version, id(system.findings),
            self.app.only.ticker.ticks, written,
        )  # fmt: skip


@pytest.fixture
def server(tmp_path: Any) -> Iterator[Server]:
    running = Server(tmp_path)
    yield running
    running.close()


def check(server: Server, make: Make, examples: int) -> None:
    methods = generated.methods(server.channel)
    assert {"Predict", "InjectChaos", "Reset", "StreamMetrics"} <= {m.name for m in methods}
    unknown = ASKED - {method.name for method in methods}
    assert not unknown, f"there are no such calls: {unknown}"
    for method in [method for method in methods if method.name in ASKED or not ASKED]:
        refused = _check_call(server, method, make(method), examples)
        assert server.app.only.ticker.failed == 0
        print(f"{method.full_name}: {examples} requests, {refused} refused")


def _check_call(
    server: Server, method: MethodDescriptor, requests: st.SearchStrategy[bytes], examples: int
) -> int:
    refused = 0
    known: tuple[Any, ...] | None = None  # the state, unless the last request may have changed it

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(requests)
    def sent(data: bytes) -> None:
        nonlocal refused, known
        if known is None:
            server.do(server.app.only.ticker.set_clock(True, None))
        before = server.state() if known is None else known
        code = server.send(method, data)
        assert code not in DEFECTS, f"{method.full_name} answered {code.name} to {data!r}"
        assert code is not grpc.StatusCode.DEADLINE_EXCEEDED, f"{method.full_name} hung on {data!r}"
        known = None
        if code is not grpc.StatusCode.OK:
            refused += 1
            known = server.state()
            assert known == before, f"{method.full_name} refused, yet changed: {data!r}"

    sent()
    return refused


@pytest.mark.parametrize("make", [generated.fields_of, generated.raw_for])
def test_a_few_requests_of_every_call(server: Server, make: Make) -> None:
    check(server, make, FEW)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("make", [generated.fields_of, generated.raw_for])
def test_many_requests_of_every_call(server: Server, make: Make) -> None:
    check(server, make, MANY)
