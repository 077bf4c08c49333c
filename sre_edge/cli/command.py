"""What every command that calls a server has in common."""

from __future__ import annotations

import difflib
import functools
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from sre_edge.cli.connecting import connecting
from sre_edge.client import Client
from sre_edge.connection import Connection
from sre_edge.errors import SreEdgeError, TooOld, Unauthenticated, Unavailable

EXIT_FAILED, EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_UNAUTHENTICATED, EXIT_TOO_OLD = 1, 2, 3, 4, 5
EXIT_CODES = (
    "Exit codes: 0 success, 1 bad outcome, 2 refused, 3 no server found, 4 token refused, "
    "5 server too old."
)
NOT_READY = "SYSTEM_NOT_READY"
Command = TypeVar("Command", bound=Callable[..., Any])

_EXITS = ((Unavailable, EXIT_UNAVAILABLE), (Unauthenticated, EXIT_UNAUTHENTICATED),
          (TooOld, EXIT_TOO_OLD), (SreEdgeError, EXIT_REFUSED))  # fmt: skip
_HINTS = {
    EXIT_UNAVAILABLE: "Start one with: sre-edge up",
    EXIT_UNAUTHENTICATED: "The token comes from --token-file or SRE_EDGE_TOKEN_FILE.",
    EXIT_TOO_OLD: "Update the server, or use the client of its version.",
}


class Commands(click.Group):
    """Commands whose help lists the exit codes."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command."""
        if not isinstance(cmd, click.Group):
            cmd.epilog = "\n\n".join(filter(None, (cmd.epilog, EXIT_CODES)))
        super().add_command(cmd, name)


def connected(function: Command) -> Command:
    """Give a command its client, `--target` and `--json`, and translate errors to exit codes."""

    @connecting
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, one message per line.")
    @functools.wraps(function)
    def command(connection: Connection, **arguments: Any) -> Any:
        try:
            with Client(connection) as client:
                return function(client=client, **arguments)
        except SreEdgeError as error:
            code = next(code for kind, code in _EXITS if isinstance(error, kind))
            click.echo(_json(error) if arguments["as_json"] else _text(error, code), err=True)
            sys.exit(code)

    return command  # type: ignore[return-value]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest names that are near to a wrong one; "" if none is."""
    names = [one for one in known if one]
    near = difflib.get_close_matches(name, names) or [one for one in names if name and name in one]
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _text(error: SreEdgeError, code: int) -> str:
    known = error.metadata.get("known", "").split(",")
    metadata = error.metadata
    name = metadata.get("service") or metadata.get("version") or metadata.get("system") or ""
    hint = _HINTS.get(code, "")
    if error.reason and code == EXIT_UNAVAILABLE:  # there is a server, and it says what is wrong
        hint = "All systems: sre-edge systems" if error.reason == NOT_READY else ""
    return "\n".join(filter(None, (str(error), did_you_mean(name, known), hint)))


def _json(error: SreEdgeError) -> str:
    details = {
        "code": error.code,
        "reason": error.reason,
        "message": str(error),
        "metadata": error.metadata,
        "violations": [{"field": v.field, "description": v.description} for v in error.violations],
    }
    return json.dumps({"error": details})
