"""Keeps the pages of all tabs up to date: one WebSocket each; shared parts are drawn once."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from dashboard import views
from dashboard.address import Address, parse
from dashboard.source.state import Provider, State

PATH = "/live"
MIN_SECONDS = 0.25
"""Time between two updates of a tab, however fast the simulated clock is."""
DRAWN_SECONDS = 10.0
"""How long a tab may take to draw an update before it gets the next one anyway."""
DRAWN = "drawn"
BEAT_SECONDS = 2.0
"""A tab hears something at least this often, and knows by that that the dashboard is there."""
MAX_ADDRESS = 2_000
ASKED_AGAIN_SECONDS = 2.0

Message = MutableMapping[str, Any]
_log = logging.getLogger(__name__)


class Drawings:
    """Draws each address once per state, for however many tabs look at it."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._lock = threading.Lock()
        self._version = -1
        self._drawn: dict[Address, dict[str, str]] = {}

    def of(self, state: State, address: Address) -> dict[str, str]:
        """Parts of a page as JSON, by name."""
        with self._lock:
            if self._version != state.version:
                self._version, self._drawn = state.version, {}
            found = self._drawn.get(address)
        if found is None:
            parts = views.draw(state, address, self._provider)
            found = {
                name: json.dumps(part, separators=(",", ":"), allow_nan=False)
                for name, part in parts.items()
            }
            with self._lock:
                if self._version == state.version:
                    self._drawn[address] = found
        return found


class Tab:
    """One open page."""

    def __init__(self, provider: Provider, drawings: Drawings) -> None:
        self._provider = provider
        self._drawings = drawings
        self._address: Address | None = None
        self._sent: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._drawn = asyncio.Event()

    async def serve(
        self,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Send what changed until the page is closed; raw ASGI, after the handshake."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            loop.call_soon_threadsafe(self._changed.set)

        end = self._provider.listen(changed)
        reading = asyncio.create_task(self._read(receive))
        writing = asyncio.create_task(self._write(send))
        try:
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            end()
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)

    async def _read(self, receive: Callable[[], Awaitable[Message]]) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text") or ""
            self._drawn.set()  # whoever asks for something else is ready for it as well
            if text != DRAWN and len(text) <= MAX_ADDRESS:
                self._address = parse(text)
                self._changed.set()

    async def _write(self, send: Callable[[Message], Awaitable[None]]) -> None:
        while True:
            try:
                await asyncio.wait_for(self._changed.wait(), BEAT_SECONDS)
            except TimeoutError:
                await self._beat(send)
                if self._provider.state.connected:
                    continue
            self._changed.clear()
            address = self._address
            if address is None:
                continue
            state = self._provider.state
            try:
                parts = await self._drawing(state, address, send)
            except Exception:
                _log.exception("a page could not be drawn")
                await asyncio.sleep(ASKED_AGAIN_SECONDS)
                continue
            news = {name: part for name, part in parts.items() if self._sent.get(name) != part}
            self._sent.update(news)
            if news:
                body = ",".join(f"{json.dumps(name)}:{part}" for name, part in news.items())
                self._drawn.clear()
                await send({"type": "websocket.send", "text": f"{{{body}}}"})
                await self._until_drawn()
            await asyncio.sleep(MIN_SECONDS)

    async def _drawing(
        self, state: State, address: Address, send: Callable[[Message], Awaitable[None]]
    ) -> dict[str, str]:
        """Draw; some pages ask the server for more, which may take its time."""
        drawing = asyncio.create_task(asyncio.to_thread(self._drawings.of, state, address))
        while not (await asyncio.wait((drawing,), timeout=BEAT_SECONDS))[0]:
            await self._beat(send)
        return await drawing

    async def _beat(self, send: Callable[[Message], Awaitable[None]]) -> None:
        """Say that the dashboard is there, and whether the server is."""
        connected = self._provider.state.connected
        beat = json.dumps({"beat": {"connected": connected}})
        await send({"type": "websocket.send", "text": beat})

    async def _until_drawn(self) -> None:
        """Wait for the browser: a slow one gets fewer updates, not a queue of them."""
        try:
            await asyncio.wait_for(self._drawn.wait(), DRAWN_SECONDS)
        except TimeoutError:
            _log.info("a tab is slow, or does not run")
