"""The database: opened, checked, migrated, and written by one thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from server.store.documents import check_versions
from server.store.location import LOCK, StoreError, StoreLocation, StoreLocationError, lock_file
from server.store.sqlite_copy import copy_database
from server.store.writer import ANSWER_TIMEOUT_S, CHANGE_TIMEOUT_S, Writer, confirm

BUSY_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_MS = 3000
ANSWER_TIMEOUT_MS = round(1000 * ANSWER_TIMEOUT_S)
_TIMEOUTS = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "options": f"-c statement_timeout={ANSWER_TIMEOUT_MS}",
    # Without these, TCP would wait a quarter of an hour for a host that has gone.
    "tcp_user_timeout": ANSWER_TIMEOUT_MS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
BLOCKING_THREADS = 16
"""Threads for calls that wait for the database; further calls queue."""
SERVER_LOCK = 0x5E_ED6E
"""Key of the advisory lock of a PostgreSQL database that a server uses."""
_MIGRATIONS = Path(__file__).parent / "migrations"

P = ParamSpec("P")
Result = TypeVar("Result")


class Store:
    """An open database; thread-safe; from an event loop only through `run_blocking`.

    Reads run in the calling threads, concurrently. Writes run in one thread, in the order of the
    calls; each is on the disk as a whole before its result is given, or not at all.

    Parameters
    ----------
    location
        Location of the database.
    engine
        Engine of SQLAlchemy.
    resources
        Locks and engine, closed at the end.
    """

    def __init__(self, location: StoreLocation, engine: Engine, resources: ExitStack) -> None:
        self.location = location
        self._engine = engine
        self._resources = resources
        self._writer = Writer(self._transaction)
        self._blocking = ThreadPoolExecutor(BLOCKING_THREADS, thread_name_prefix="store call")

    @property
    def lost(self) -> int:
        """Number of offered writes that were lost."""
        return self._writer.lost

    @property
    def failing(self) -> bool:
        """Whether the latest write failed because of the database."""
        return self._writer.failing

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Read, in a transaction of its own.

        Raises
        ------
        StoreError
            If the database does not respond.
        """
        return self._transaction(work)

    def write(self, work: Callable[[Connection], Result]) -> Future[Result]:
        """Write after all earlier writes; waits up to 10 s while too many are queued.

        The future holds the result, or a `StoreError`.
        """
        return self._writer.write(work)

    def submit(
        self, work: Callable[[Connection], Result], *, counted: bool = False
    ) -> Future[Result]:
        """Write after all earlier writes; never waits: the future says what came of it.

        It holds the result, or a `StoreError`, at once if too many writes are queued. A failure is
        logged and counted in `lost` if `counted` says so.
        """
        return self._writer.submit(work, counted=counted)

    def offer(self, work: Callable[[Connection], Any]) -> bool:
        """Write soon, or not at all if too many writes are queued; never waits.

        Failed writes are logged, and counted in `lost`.
        """
        return self._writer.offer(work)

    def ask(self, work: Callable[[Connection], Result]) -> Result:
        """Write after all earlier writes, and wait for the result.

        Raises
        ------
        UndecidedError
            If it is being committed, but that takes too long.
        StoreError
            If the database does not respond in time; nothing is written then, nor later.
        """
        return self._writer.ask(work)

    def read_written(self, work: Callable[[Connection], Result]) -> Result:
        """Read after all earlier writes; raises as `ask`."""
        return self._writer.ask(work, changes=False)

    def confirm(self, writing: Future[Result]) -> Result:
        """Wait for a write, but not for ever.

        Raises
        ------
        UndecidedError
            If it is being committed, but that takes too long.
        StoreError
            If it failed, or takes too long; nothing is written then, nor later.
        """
        return confirm(writing, CHANGE_TIMEOUT_S)

    async def committed(self, writing: Future[Result]) -> Result:
        """Wait for a write without a thread, but not for ever; it goes on if the caller gives up.

        Raises
        ------
        StoreError
            If it failed, or takes too long; in that case it is still tried.
        """
        waiting = asyncio.wrap_future(writing)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with asyncio.timeout(CHANGE_TIMEOUT_S):
                return await asyncio.shield(waiting)
        except TimeoutError as error:
            raise StoreError(f"no answer within {CHANGE_TIMEOUT_S:g} s") from error

    async def run_blocking(
        self, work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Run what waits for the database in a thread that is reserved for it.

        The default threads of the event loop are left to other calls, such as the kill switch, so
        that those do not queue behind a database that does not respond.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._blocking, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Finish the queued writes, and close the database."""
        self._blocking.shutdown(wait=False)
        self._writer.close()
        self._resources.close()

    def _transaction(self, work: Callable[[Connection], Result]) -> Result:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise StoreError(f"{self.location}: {_reason(self.location, error)}") from error


def open_store(location: StoreLocation) -> Store:
    """Open a database, and migrate it to the present schema.

    Raises
    ------
    StoreLocationError
        If the database cannot be used: damaged, locked, not writable, missing, or of a newer
        version. Nothing in it is changed then.
    """
    with ExitStack() as resources:
        resources.enter_context(lock_file(location.data / LOCK))
        if (file := location.file) is not None:
            resources.enter_context(lock_file(file.parent / f".{file.name}{LOCK}"))
        engine = _engine(location)
        resources.callback(engine.dispose)
        try:
            if location.file is None:
                resources.enter_context(_server_lock(engine))
            else:
                _check_file(location.file, engine)
            with engine.connect() as connection:
                check_versions(connection)
            with engine.begin() as connection:
                _migrate(connection, location.file)
        except StoreLocationError as error:
            raise StoreLocationError(f"{location}: {error}") from error
        except SQLAlchemyError as error:
            raise StoreLocationError(f"{location}: {_reason(location, error)}") from error
        except CommandError as error:
            raise StoreLocationError(
                f"{location}: expected records that this version knows: {error}"
            ) from (error)
        return Store(location, engine, resources.pop_all())


def _engine(location: StoreLocation) -> Engine:
    if location.file is None:
        return create_engine(location.url, pool_pre_ping=True, connect_args=_TIMEOUTS)
    engine = create_engine(location.url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        # SQLAlchemy begins transactions itself, because the driver would leave out DDL.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        # What is acknowledged outlives a power cut, too; NORMAL would risk the latest transactions.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _check_file(file: Path, engine: Engine) -> None:
    """Check that a database file is intact and writable, and enable its write-ahead log."""
    file.parent.mkdir(parents=True, exist_ok=True)
    existed = file.exists() and file.stat().st_size > 0
    with engine.connect() as connection:
        raw = connection.connection.cursor()
        try:
            if existed:
                raw.execute("PRAGMA quick_check(1)")
                answer = raw.fetchone()
                if answer is None or answer[0] != "ok":
                    raise StoreLocationError(_damaged())
            raw.execute("PRAGMA journal_mode=WAL")
            raw.execute("BEGIN IMMEDIATE")  # fails now if it is not writable
            raw.execute("ROLLBACK")
        except engine.dialect.loaded_dbapi.Error as error:
            raise StoreLocationError(_driver_text(error)) from error
        finally:
            raw.close()


@contextmanager
def _server_lock(engine: Engine) -> Iterator[None]:
    """Lock a PostgreSQL database for this server, on a connection of its own.

    A server that was killed may still hold the lock for a moment.
    """
    key = {"key": SERVER_LOCK}
    with engine.connect() as connection:
        connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
        try:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), key)
        except OperationalError as error:
            raise StoreLocationError("is in use by another server") from error
        connection.commit()
        yield
        with suppress(SQLAlchemyError):
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)


def _migrate(connection: Connection, file: Path | None) -> None:
    """Migrate to the present schema; an SQLite database is copied before, to go back to."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    before = MigrationContext.configure(connection).get_current_revision()
    head = ScriptDirectory.from_config(config).get_current_head()
    if file is not None and before not in (None, head):
        copy_database(file, file.with_name(f"{file.name}.before-{head}"))
    command.upgrade(config, "head")


def _reason(location: StoreLocation, error: SQLAlchemyError) -> str:
    text_ = _driver_text(error.orig) if isinstance(error, DBAPIError) else str(error)
    return location.without_secrets(text_)


def _driver_text(error: BaseException | None) -> str:
    """Explain an error of a driver."""
    text_ = " ".join(str(error).split())
    if "malformed" in text_ or "not a database" in text_:
        return _damaged()
    if "locked" in text_:
        return "is locked by another program; stop it, or use another database: SRE_EDGE_STORE"
    if "readonly" in text_ or "unable to open" in text_:
        return (
            f"cannot be written ({text_}); choose another database with SRE_EDGE_STORE, or another "
            "directory with SRE_EDGE_DATA"
        )
    return text_


def _damaged() -> str:
    return (
        "is damaged or not an SQLite database; it was not changed: move it away or restore it, or "
        "choose another database with SRE_EDGE_STORE"
    )
