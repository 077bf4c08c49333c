"""One suite, on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from server.store import Store, StoreLocation, locate, open_store
from tests.server.store import postgres

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres.running() as server:
        yield server.url


@pytest.fixture
def empty_postgres(postgres_url: str) -> str:
    """Give the URL of a database with nothing in it."""
    name = f"store_{next(_numbers)}"
    driver = postgres_url.replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(driver, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return postgres_url.removesuffix("/postgres") + f"/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> StoreLocation:
    """Give a place where nothing is yet."""
    if request.param == "sqlite":
        return locate(tmp_path / "data", None)
    return locate(tmp_path / "data", request.getfixturevalue("empty_postgres"))


@pytest.fixture
def store(where: StoreLocation) -> Iterator[Store]:
    opened = open_store(where)
    yield opened
    opened.close()
