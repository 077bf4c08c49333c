"""The same client for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import grpc

from sre_edge.calls.stream import Item, Stream
from sre_edge.client import TIMEOUT_S
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
from sre_edge.watch import CHECK_S, Connected, Disconnected, Progress

P = ParamSpec("P")
Result = TypeVar("Result")


def _calling(
    describe: Callable[P, Exchange[Result]],
) -> Callable[Concatenate[AsyncClient, P], Awaitable[Result]]:
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return await self.call(describe(*args, **kwargs))

    copy_signature(method, describe)
    return method


def _following(
    describe: Callable[P, Following[Result]],
) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[Result]]:
    def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Result]:
        return self._follow(describe(*args, **kwargs))

    copy_signature(method, describe)
    return method


def _streaming(
    describe: Callable[P, Stream[Item]],
) -> Callable[Concatenate[AsyncClient, P], AsyncSubscription[Item]]:
    def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncSubscription[Item]:
        return self.subscribe(describe(*args, **kwargs))

    copy_signature(method, describe)
    return method


class AsyncClient(Methods, call=_calling, follow=_following, subscribe=_streaming):
    """Calls one server from an event loop: the calls of `Client`, to be awaited.

    Parameters
    ----------
    target
        host:port of the server, for plain traffic; or a `Connection`, for TLS and a token.
    timeout_s
        Timeout of calls with one answer, seconds.
    system
        Id of the system that all calls are about; "": that of the connection, and by default the
        server's default system or its only one.

    Examples
    --------
    >>> async with AsyncClient() as client:  # doctest: +SKIP
    ...     await client.inject("database", "cpu_spike", duration_s=30)
    ...     async with client.watch() as events:
    ...         async for event in events:
    ...             print(event)
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
        self._channel = connection.aio_channel()
        self._stubs = Stubs(self._channel)
        self._subscriptions: weakref.WeakSet[AsyncSubscription[Any]] = weakref.WeakSet()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel the streams that are open, which end then, and close the channel."""
        for subscription in list(self._subscriptions):
            subscription.close()
        await self._channel.close()

    async def call(self, exchange: Exchange[Result]) -> Result:
        """Make a call from its description, as those in `sre_edge.calls`."""
        answer = None
        while True:
            try:
                ask = exchange.send(answer)
            except StopIteration as done:
                result: Result = done.value
                return result
            answer = await self._ask(ask)

    def subscribe(self, wanted: Stream[Item]) -> AsyncSubscription[Item]:
        """Open a stream from its description."""
        progress = Progress(wanted, self.target, self.system_id)
        opened = AsyncSubscription(wanted, self._stubs, self._connection, progress)
        self._subscriptions.add(opened)
        return opened

    async def _follow(self, following: Following[Result]) -> AsyncIterator[Result]:
        answer = None
        while True:
            try:
                step = following.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(step, Ask):
                answer = await self._ask(step)
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Update):
                yield step.result

    async def _ask(self, ask: Ask) -> Any:
        try:
            method = ask.method(self._stubs)
            return await method(
                addressed(ask.request, self.system_id), timeout=ask.timeout_s or self._timeout_s
            )
        except grpc.RpcError as error:
            raise from_rpc(error, self.target) from error


class AsyncSubscription(Generic[Item]):
    """A stream: iterate over its items, or close it.

    Entering it as a context manager waits until it is open: it yields what happens from then on.
    Leaving it, closing its client and forgetting it cancel it on the server.
    """

    def __init__(
        self, wanted: Stream[Item], stubs: Stubs, connection: Connection, progress: Progress[Item]
    ) -> None:
        self._closed = asyncio.Event()
        self._opened: list[Any] = []  # the call that is open, if there is one
        self._events = _follow(wanted, stubs, connection, progress, self._closed, self._opened)
        self._ahead: list[Connected | Disconnected | Stale | Item] = []

    async def __aenter__(self) -> AsyncSubscription[Item]:
        if not self._ahead:
            with contextlib.suppress(StopAsyncIteration):  # closed meanwhile
                self._ahead.append(await anext(self._events))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[Connected | Disconnected | Stale | Item]:
        return self

    async def __anext__(self) -> Connected | Disconnected | Stale | Item:
        if self._closed.is_set():
            raise StopAsyncIteration
        if self._ahead:
            return self._ahead.pop()
        event: Connected | Disconnected | Stale | Item = await anext(self._events)
        return event

    def close(self) -> None:
        """End the stream: iteration stops."""
        self._closed.set()
        for call in list(self._opened):
            call.cancel()


async def _follow(
    wanted: Stream[Any],
    stubs: Stubs,
    connection: Connection,
    progress: Progress[Any],
    closed: asyncio.Event,
    opened: list[Any],
) -> AsyncIterator[Any]:
    """Open a stream, and open it again whenever it is lost; on another path if it is silent."""
    async with contextlib.AsyncExitStack() as paths:
        while not closed.is_set():
            call = wanted.method(stubs)(progress.request(), wait_for_ready=False)
            opened[:] = [call]
            error = None
            try:
                async with contextlib.aclosing(_messages(call, progress)) as messages:
                    async for event in messages:
                        yield event
            except grpc.RpcError as raised:
                error = raised
            except asyncio.CancelledError:
                if not closed.is_set():  # else `close` cancelled the call, and nobody this task
                    raise
            finally:
                call.cancel()
                opened.clear()
            if closed.is_set():
                return
            if progress.silent:
                await paths.aclose()
                stubs = Stubs(await paths.enter_async_context(connection.aio_channel(apart=True)))
            notice, wait_s = progress.lost(error)
            if notice:
                yield notice
            await _first(closed, wait_s)


async def _messages(call: Any, progress: Progress[Any]) -> AsyncGenerator[Any, None]:
    """Read a stream to its end, or until it has been silent for too long."""
    messages = aiter(call)
    reading: asyncio.Future[Any] | None = None
    try:
        while not progress.silent:
            reading = reading or asyncio.ensure_future(anext(messages))
            await asyncio.wait((reading,), timeout=CHECK_S)
            if not reading.done():
                for stale in progress.overdue():
                    yield stale
                continue
            try:
                message = reading.result()
            except StopAsyncIteration:
                return
            reading = None
            for event in progress.received(message):
                yield event
    finally:
        if reading is not None:
            reading.cancel()


async def _first(closed: asyncio.Event, seconds: float) -> None:
    """Wait until it is closed, but not longer than so many seconds."""
    try:
        await asyncio.wait_for(closed.wait(), seconds)
    except TimeoutError:
        return
