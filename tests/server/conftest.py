"""A real server and stubs on a real channel to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from server.app import App
from server.learning.recorder import RecordedExperiment
from tests.conftest import StartServer, servers
from tests.server.stubs import Stubs


@pytest.fixture(scope="session")
def known() -> list[RecordedExperiment]:
    """Experiments, made once."""
    from tests.server.learning import experienced  # takes what only training needs

    return experienced()


@pytest_asyncio.fixture
async def app(start_server: StartServer) -> App:
    return await start_server()


@pytest_asyncio.fixture
async def stubs(app: App) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(app.address) as channel:
        yield Stubs(channel)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stubs]:
    """Stubs of one server for all tests of a module that change nothing: `sharing` marks them."""
    async with servers(tmp_path_factory.mktemp("shared")) as starting:
        app = await starting()
        async with grpc.aio.insecure_channel(app.address) as channel:
            yield Stubs(channel)


@pytest_asyncio.fixture
async def still(start_server: StartServer) -> App:
    """A server whose time passes when a test says so."""
    return await start_server(speed=0.1)


@pytest_asyncio.fixture
async def calls(still: App) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(still.address) as channel:
        yield Stubs(channel)
