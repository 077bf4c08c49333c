"""What every command that calls a server has in common."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from sre_edge.cli.connecting import connecting
from sre_edge.client import Client
from sre_edge.connection import Connection
from sre_edge.errors import SreEdgeError, Unavailable

EXIT_REFUSED, EXIT_UNAVAILABLE = 2, 3
Command = TypeVar("Command", bound=Callable[..., Any])


def connected(function: Command) -> Command:
    """Give a command its client, `--target` and `--json`, and translate errors to exit codes."""

    @connecting
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, one message per line.")
    @functools.wraps(function)
    def command(connection: Connection, **arguments: Any) -> Any:
        try:
            with Client(connection) as client:
                return function(client=client, **arguments)
        except Unavailable as error:
            click.echo(f"{error}\nStart one with: sre-edge up", err=True)
            sys.exit(EXIT_UNAVAILABLE)
        except SreEdgeError as error:
            click.echo(str(error), err=True)
            sys.exit(EXIT_REFUSED)

    return command  # type: ignore[return-value]
