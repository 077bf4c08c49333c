"""The commands that back up the records of a server on this machine, and restore them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click


@click.command()
@click.argument("file", metavar="FILE")
def backup(file: str) -> None:
    """Copy the server's SQLite database to FILE; the server may go on.

    SRE_EDGE_DATA and SRE_EDGE_STORE say which database, as for the server. Trained models are files
    beside it, in the directory models.
    """
    _run("save", file)


@click.command()
@click.argument("file", metavar="FILE")
def restore(file: str) -> None:
    """Put FILE, a backup, in the place of the server's database.

    The server must not run. What was there is kept beside it, with the ending .before-restore.
    """
    _run("restore", file)


def _run(what: str, file: str) -> None:
    if importlib.util.find_spec("sqlalchemy") is None:
        click.echo(f"{what} needs the server: pip install 'sre-edge[server]'", err=True)
        sys.exit(2)
    sys.exit(subprocess.call([sys.executable, "-P", "-m", "server.backup", what, file]))  # noqa: S603


COMMANDS: tuple[click.Command, ...] = (backup, restore)
