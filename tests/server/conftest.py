"""A real server and stubs on a real channel to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest_asyncio

from server.app import App
from tests.conftest import StartServer
from tests.server.stubs import Stubs


@pytest_asyncio.fixture
async def app(start_server: StartServer) -> App:
    return await start_server()


@pytest_asyncio.fixture
async def stubs(app: App) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(app.address) as channel:
        yield Stubs(channel)
