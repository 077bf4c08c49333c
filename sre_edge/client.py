"""A typed client of the SRE Edge API, for threads."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import grpc

from sre_edge.calls.stream import Item, Stream
from sre_edge.connection import TARGET, Connection
from sre_edge.errors import from_rpc
from sre_edge.exchange import (
    Ask,
    Exchange,
    Following,
    Pause,
    Stubs,
    Update,
    addressed,
    copy_signature,
)
from sre_edge.freshness import Stale
from sre_edge.methods import Methods
from sre_edge.reading import Reading
from sre_edge.watch import CHECK_S, Connected, Disconnected, Progress

TIMEOUT_S = 10.0

P = ParamSpec("P")
Result = TypeVar("Result")


def _calling(describe: Callable[P, Exchange[Result]]) -> Callable[Concatenate[Client, P], Result]:
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return self.call(describe(*args, **kwargs))

    copy_signature(method, describe)
    return method


def _following(
    describe: Callable[P, Following[Result]],
) -> Callable[Concatenate[Client, P], Iterator[Result]]:
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Result]:
        return self._follow(describe(*args, **kwargs))

    copy_signature(method, describe)
    return method


def _streaming(
    describe: Callable[P, Stream[Item]],
) -> Callable[Concatenate[Client, P], Subscription[Item]]:
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Subscription[Item]:
        return self.subscribe(describe(*args, **kwargs))

    copy_signature(method, describe)
    return method


class Client(Methods, call=_calling, follow=_following, subscribe=_streaming):
    """Calls one server; safe to use from several threads.

    `AsyncClient` has the same calls for asyncio.

    Parameters
    ----------
    target
        host:port of the server, for plain traffic; or a `Connection`, for TLS and a token.
    timeout_s
        Timeout of calls with one answer, seconds.
    system
        Id of the system that all calls are about; "": that of the connection, and by default the
        server's default system or its only one.

    Raises
    ------
    SreEdgeError
        Every call raises one of `sre_edge.errors`.

    Examples
    --------
    >>> with Client() as client:  # doctest: +SKIP
    ...     client.inject("database", "cpu_spike", duration_s=30)
    ...     for event in client.watch():
    ...         print(event)
    """

    def __init__(
        self,
        target: str | Connection = TARGET,
        *,
        timeout_s: float = TIMEOUT_S,
        system: str = "",
    ) -> None:
        connection = Connection(target) if isinstance(target, str) else target
        self.target, self.system_id = connection.target, system or connection.system
        self._connection, self._timeout_s = connection, timeout_s
        self._channel = connection.channel()
        self._stubs = Stubs(self._channel)
        self._subscriptions: weakref.WeakSet[Subscription[Any]] = weakref.WeakSet()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancel the streams that are open, which end then, and close the channel."""
        for subscription in list(self._subscriptions):
            subscription.close()
        self._channel.close()

    def call(self, exchange: Exchange[Result]) -> Result:
        """Make a call from its description, as those in `sre_edge.calls`."""
        answer = None
        while True:
            try:
                ask = exchange.send(answer)
            except StopIteration as done:
                result: Result = done.value
                return result
            answer = self._ask(ask)

    def subscribe(self, wanted: Stream[Item]) -> Subscription[Item]:
        """Open a stream from its description."""
        progress = Progress(wanted, self.target, self.system_id)
        opened = Subscription(wanted, self._stubs, self._connection, progress)
        self._subscriptions.add(opened)
        return opened

    def _follow(self, following: Following[Result]) -> Iterator[Result]:
        answer = None
        while True:
            try:
                step = following.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(step, Ask):
                answer = self._ask(step)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            elif isinstance(step, Update):
                yield step.result

    def _ask(self, ask: Ask) -> Any:
        try:
            method = ask.method(self._stubs)
            return method(
                addressed(ask.request, self.system_id), timeout=ask.timeout_s or self._timeout_s
            )
        except grpc.RpcError as error:
            raise from_rpc(error, self.target) from error


class Subscription(Generic[Item]):
    """A stream: iterate over its items, or close it, from any thread.

    Entering it as a context manager waits until it is open: it yields what happens from then on.
    Leaving it, closing its client and forgetting it cancel it on the server.
    """

    def __init__(
        self, wanted: Stream[Item], stubs: Stubs, connection: Connection, progress: Progress[Item]
    ) -> None:
        self._closed = threading.Event()
        self._opened: list[Any] = []  # the call that is open, if there is one
        self._events = _follow(wanted, stubs, connection, progress, self._closed, self._opened)
        self._ahead: list[Connected | Disconnected | Stale | Item] = []

    def __enter__(self) -> Subscription[Item]:
        if not self._ahead:
            self._ahead.extend(itertools.islice(self._events, 1))
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Connected | Disconnected | Stale | Item]:
        return self

    def __next__(self) -> Connected | Disconnected | Stale | Item:
        if self._closed.is_set():
            raise StopIteration
        if self._ahead:
            return self._ahead.pop()
        event: Connected | Disconnected | Stale | Item = next(self._events)
        return event

    def close(self) -> None:
        """End the stream: iteration stops."""
        self._closed.set()
        for call in list(self._opened):
            call.cancel()


def _follow(
    wanted: Stream[Any],
    stubs: Stubs,
    connection: Connection,
    progress: Progress[Any],
    closed: threading.Event,
    opened: list[Any],
) -> Iterator[Any]:
    """Open a stream, and open it again whenever it is lost; on another path if it is silent."""
    with contextlib.ExitStack() as paths:
        while not closed.is_set():
            call = wanted.method(stubs)(progress.request(), wait_for_ready=False)
            opened[:] = [call]
            error = None
            try:
                if closed.is_set():
                    return  # in between; `close` has not seen this call
                yield from _messages(call, progress)
            except grpc.RpcError as raised:
                error = raised
            finally:
                call.cancel()
                opened.clear()
            if closed.is_set():
                return
            if progress.silent:
                paths.close()
                stubs = Stubs(paths.enter_context(connection.channel(apart=True)))
            notice, wait_s = progress.lost(error)
            if notice:
                yield notice
            closed.wait(wait_s)


def _messages(call: Any, progress: Progress[Any]) -> Iterator[Any]:
    """Read a stream to its end, or until it has been silent for too long."""
    reading = Reading(call)
    try:
        while not progress.silent:
            try:
                message = reading.take(CHECK_S)
            except TimeoutError:
                yield from progress.overdue()
            except StopIteration:
                return
            else:
                yield from progress.received(message)
    finally:
        reading.cancel()
