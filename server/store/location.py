"""Where records are stored: the data directory and the database."""

from __future__ import annotations

import fcntl
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from server.settings import SettingsError

DATABASE, MODELS, LOCK = "store.sqlite3", "models", ".lock"
EXPECTED_URL = (
    "SRE_EDGE_STORE: expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
)
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_SECRET = ("password", "passfile", "sslpassword", "sslkey")


class StoreLocationError(SettingsError):
    """A location that cannot be used; the message is for people, without secrets."""


class StoreError(RuntimeError):
    """A database that fails; the message is for people, without secrets."""


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """Where a server stores what must survive a restart.

    Attributes
    ----------
    data
        Directory of trained models, and of the database unless a URL says otherwise.
    url
        URL of the database for SQLAlchemy.
    """

    data: Path
    url: URL

    @property
    def models(self) -> Path:
        """Directory that holds one directory per trained model."""
        return self.data / MODELS

    @property
    def file(self) -> Path | None:
        """File of an SQLite database; None for another."""
        embedded = self.url.get_backend_name() == "sqlite"
        return Path(self.url.database or "") if embedded else None

    def __str__(self) -> str:
        """Name the database without its password and options, which may be secret."""
        if self.file is not None:
            return str(self.file)
        shown = self.url.set(drivername="postgresql", query={})
        return shown.render_as_string(hide_password=True)

    def without_secrets(self, text: str) -> str:
        """Remove passwords from a message of the driver."""
        secrets = [self.url.password, *(self.url.query.get(key) for key in _SECRET)]
        for secret in secrets:
            if isinstance(secret, str) and secret:
                text = text.replace(secret, "***")
        return text


def locate(data: Path, store: str | None) -> StoreLocation:
    """Resolve where records are stored.

    Parameters
    ----------
    data
        Data directory.
    store
        URL of the database; None or empty: a file in the data directory.

    Raises
    ------
    StoreLocationError
        If the URL cannot be used. The message never repeats it: it may hold a password.
    """
    data = data.expanduser().absolute()
    if not store:
        return StoreLocation(data, URL.create("sqlite", database=str(data / DATABASE)))
    try:
        url = make_url(store)
        url.port  # noqa: B018 - raises an error if it is not a number
    except (ArgumentError, ValueError) as error:
        raise StoreLocationError(EXPECTED_URL) from error
    if url.drivername == "sqlite":
        if url.host or not url.database or url.database == ":memory:":
            raise StoreLocationError(f"{EXPECTED_URL}; with three slashes, and a file")
        file = Path(url.database).expanduser().absolute()
        return StoreLocation(data, URL.create("sqlite", database=str(file)))
    if url.drivername in _POSTGRES:
        if importlib.util.find_spec("psycopg") is None:
            raise StoreLocationError(
                "SRE_EDGE_STORE: PostgreSQL needs a driver: pip install 'sre-edge[postgres]'"
            )
        return StoreLocation(data, url.set(drivername="postgresql+psycopg"))
    raise StoreLocationError(f"{EXPECTED_URL}, got {url.drivername}:")


def lock_file(path: Path) -> IO[str]:
    """Lock a file until it is closed or the process ends.

    Raises
    ------
    StoreLocationError
        If another process holds the lock, or the directory cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a", encoding="utf-8")
    except OSError as error:
        raise StoreLocationError(
            f"{path.parent}: cannot be written ({error.strerror}); choose another directory with "
            "SRE_EDGE_DATA"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreLocationError(
            f"{path.parent}: is in use by another server; stop it, or choose another "
            "directory with SRE_EDGE_DATA"
        ) from error
    return lock
