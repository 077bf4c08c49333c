"""Copies of an SQLite database, also of one that a server is using."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from server.store.location import StoreLocationError


def copy_database(file: Path, to: Path) -> None:
    """Copy a database as it is at one moment; `to` appears as a whole, or not at all.

    Raises
    ------
    StoreLocationError
        If it cannot be copied; `to` is as it was then.
    """
    unfinished = to.with_name(f".{to.name}.unfinished")
    try:
        with (
            closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as source,
            closing(sqlite3.connect(unfinished)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        shutil.copymode(to if to.exists() else file, unfinished)
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.replace(to)
        folder = os.open(to.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (sqlite3.Error, OSError) as error:
        unfinished.unlink(missing_ok=True)
        raise StoreLocationError(f"{file} cannot be copied to {to}: {error}") from error
