"""Backup and restore of the SQLite database: `python -m server.backup save FILE`, or `restore`.

`sre-edge backup` and `sre-edge restore` are the same.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from server.settings import SettingsError, default_data
from server.store import locate
from server.store.location import DATABASE, LOCK, StoreLocationError, lock_file
from server.store.sqlite_copy import copy_database

_LOGS = ("-wal", "-shm")
_OTHER = (
    "the records are not in an SQLite file: use the tools of the database, such as pg_dump and "
    "pg_restore"
)
_MODELS = "Trained models are files: copy the directory models beside the database, too."


@click.group(context_settings={"auto_envvar_prefix": "SRE_EDGE", "show_default": True})
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    show_default="~/.local/share/sre-edge",
    envvar="SRE_EDGE_DATA",
    show_envvar=True,
    help="Data directory of the server.",
)
@click.option(
    "--store",
    metavar="URL",
    envvar="SRE_EDGE_STORE",
    show_envvar=True,
    show_default="a file in the data directory",
    help="Database of the server.",
)
@click.pass_context
def main(context: click.Context, data: Path | None, store: str | None) -> None:
    """Back up the records of a server on this machine, and restore them."""
    try:
        file = locate(data or default_data(), store).file
    except SettingsError as error:
        _fail(error)
    if file is None:
        _fail(_OTHER)
    context.obj = file


@main.command(epilog=_MODELS)
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.pass_obj
def save(file: Path, target: Path) -> None:
    """Copy the database to FILE, as it is at one moment; the server may go on."""
    target = target.absolute()
    try:
        if not file.exists():
            raise StoreLocationError(f"{file}: there is no database to back up")
        _check_other(target, file)
        copy_database(file, target)
    except StoreLocationError as error:
        _fail(error)
    click.echo(f"{file} is backed up to {target} ({target.stat().st_size:,} bytes)")


@main.command(epilog=_MODELS)
@click.argument(
    "source", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE"
)
@click.pass_obj
def restore(file: Path, source: Path) -> None:
    """Put FILE, a backup, in the place of the database; the server must not run.

    What was there is kept beside it, with the ending .before-restore.
    """
    try:
        _check(source)
        _check_other(source, file)
        with (
            lock_file(file.parent / LOCK),
            lock_file(file.parent / f".{file.name}{LOCK}"),
        ):
            staged = file.with_name(f".{file.name}.restored")
            copy_database(source.absolute(), staged)
            if file.exists():
                shutil.copymode(file, staged)
                _keep(file, _free(file.with_name(f"{file.name}.before-restore")))
            for ending in _LOGS:  # they would be taken for those of the backup
                file.with_name(file.name + ending).unlink(missing_ok=True)
            staged.replace(file)
    except StoreLocationError as error:
        _fail(error)
    click.echo(f"{source} is restored to {file}")


def _check_other(one: Path, file: Path) -> None:
    if one.exists() and one.samefile(file):
        raise StoreLocationError(f"{one}: expected another file, this one is the database itself")


def _keep(file: Path, kept: Path) -> None:
    """Keep what is there: as a copy, or, if it is damaged, as it is."""
    try:
        copy_database(file, kept)
    except StoreLocationError:
        for ending in ("", *_LOGS):
            path = file.with_name(file.name + ending)
            if path.exists():
                path.replace(kept.with_name(kept.name + ending))


def _free(wanted: Path) -> Path:
    """Give a path at which nothing is: the wanted one, or one with a number."""
    numbered = (wanted.with_name(f"{wanted.name}-{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain((wanted,), numbered) if not path.exists())


def _check(source: Path) -> None:
    """Check that a file is a whole database of a server."""
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            (intact,) = copy.execute("PRAGMA quick_check(1)").fetchone()
            known = copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
            if intact == "ok" and known.fetchone():
                return
    except sqlite3.Error:
        pass
    raise StoreLocationError(f"{source}: expected a backup of {DATABASE}; nothing was changed")


def _fail(problem: Any) -> Any:
    click.echo(str(problem), err=True)
    sys.exit(2)


if __name__ == "__main__":
    main(prog_name="python -m server.backup")
