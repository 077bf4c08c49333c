"""A server for the tests of the clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sre_edge.testing import FakeServer


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with FakeServer(["web", "database"]) as fake:
        yield fake
