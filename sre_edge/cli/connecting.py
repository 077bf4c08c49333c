"""The options that say how to reach a server; the dashboard has the same."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from sre_edge.connection import TARGET, Connection

Command = TypeVar("Command", bound=Callable[..., Any])

_FILES = (
    (
        "--ca",
        "SRE_EDGE_CA",
        'PEM file of the CA that signed the server certificate, or "system"; default: no TLS.',
    ),
    ("--token-file", "SRE_EDGE_TOKEN_FILE", "File with the server's token."),
    ("--cert", "SRE_EDGE_CERT", "PEM file of the client certificate, for mutual TLS."),
    ("--key", "SRE_EDGE_KEY", "PEM file of the key of the client certificate."),
)


def connecting(function: Command) -> Command:
    """Give a command a `connection`, from options and variables."""

    @click.option(
        "--target",
        "address",  # commands have targets of their own
        default=TARGET,
        show_default=True,
        envvar="SRE_EDGE_TARGET",
        show_envvar=True,
        metavar="HOST:PORT",
        help="Address of the server.",
    )
    @click.option(
        "--system",
        envvar="SRE_EDGE_SYSTEM",
        show_envvar=True,
        metavar="ID",
        help="System to ask about; default: the server's default or only one.",
    )
    @functools.wraps(function)
    def command(
        address: str,
        ca: str | None,
        token_file: str | None,
        cert: str | None,
        key: str | None,
        system: str | None,
        **arguments: Any,
    ) -> Any:
        connection = Connection(address, ca, token_file, cert, key, system or "")
        return function(connection=connection, **arguments)

    for name, variable, text in reversed(_FILES):
        option = click.option(name, envvar=variable, show_envvar=True, metavar="FILE", help=text)
        command = option(command)
    return command  # type: ignore[return-value]
