"""The commands about the systems that a server watches."""

from __future__ import annotations

import json

import click
from google.protobuf.duration_pb2 import Duration
from rich.text import Text

from sre_edge.cli import output
from sre_edge.cli.command import Commands, connected
from sre_edge.cli.values import DOCUMENT, SYSTEM
from sre_edge.client import Client
from sre_edge.quantities import MISSING, duration
from sre_edge.v1 import system_pb2

_STATES = {
    system_pb2.SYSTEM_STATE_STARTING: ("… starting", ""),
    system_pb2.SYSTEM_STATE_LIVE: ("● live", "green"),
    system_pb2.SYSTEM_STATE_STALE: ("▲ stale", "yellow"),
    system_pb2.SYSTEM_STATE_FAILED: ("■ failed", "red"),
    system_pb2.SYSTEM_STATE_ENDED: ("□ ended", ""),
}


class _Systems(Commands):
    """Commands of which the first is meant where none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` in front of options, and of nothing."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Systems)
def systems() -> None:
    """List the systems that the server watches; add, remove and describe them."""


@systems.command("list")
@connected
def list_systems(client: Client, as_json: bool) -> None:
    """List all systems with their states."""
    listed = client.systems()
    if as_json:
        for one in listed:
            output.json_line(one)
        return
    heads = ("system", "name", "source", "state", "latest frame", "services", "labels")
    table = output.plain_table("systems", heads)
    for one in listed:
        label, style = _STATES.get(one.state, (MISSING, ""))
        table.add_row(
            f"{one.id} (default)" if one.default else one.id, one.name, _source(one),
            Text(label, style), _age(one), str(one.services) if one.services else MISSING,
            ", ".join(f"{name}={value}" for name, value in sorted(one.labels.items())),
        )  # fmt: skip
    output.console.print(table)
    for one in listed:
        if one.problem:
            click.echo(f"{one.id}: {one.problem}")


@systems.command()
@click.argument("system_id", type=SYSTEM, metavar="ID", required=False, default="")
@connected
def show(client: Client, system_id: str, as_json: bool) -> None:
    """Describe a system, by default that of --system."""
    found = client.system(system_id)
    if as_json:
        output.json_line(found)
        return
    label, style = _STATES.get(found.state, (MISSING, ""))
    able = [name for name in ("faults", "labels", "clock", "reset", "seek")
            if getattr(found.capabilities, name)]  # fmt: skip
    table = output.plain_table(found.id, ("", ""))
    for name, value in (
        ("name", found.name),
        ("source", _source(found)),
        ("state", Text(label, style)),
        ("problem", found.problem),
        ("latest frame", _age(found)),
        ("interval", _duration(found.interval) if found.HasField("interval") else MISSING),
        ("services", str(found.services) if found.services else MISSING),
        ("supports", ", ".join(able) or "observing only"),
        ("kill switch", "engaged: faults are refused" if found.kill_switch else "off"),
        ("model", found.model_version or MISSING),
        ("labels", ", ".join(f"{key}={value}" for key, value in sorted(found.labels.items()))),
        ("added", "by a call" if found.added else "by the server's settings"),
    ):
        if value:
            table.add_row(name, value)
    output.console.print(table)
    for warning in found.warnings:
        click.echo(f"warning: {warning}")


@systems.command()
@click.argument("entry", type=DOCUMENT, metavar="FILE")
@connected
def add(client: Client, entry: str, as_json: bool) -> None:
    """Add a system.

    FILE is one entry of a systems file; - is standard input. The system outlives a restart of the
    server.

    \b
    printf 'id: rehearsal\\nsource: {kind: simulation, seed: 7}\\n' | sre-edge systems add -
    """  # noqa: D301 - \b is click's mark for lines that it must not wrap
    added = client.add_system(entry)
    if as_json:
        output.json_line(added)
    else:
        click.echo(f"{added.id} is starting")


@systems.command()
@click.argument("system_id", type=SYSTEM, metavar="ID")
@connected
def remove(client: Client, system_id: str, as_json: bool) -> None:
    """Remove a system that was added.

    Its faults end, its records stay.
    """
    still_watched = client.remove_system(system_id)
    if as_json:
        click.echo(json.dumps({"removed": system_id, "still_watched": still_watched}))
    elif still_watched:
        click.echo(f"the {system_id} that was added is forgotten; that of the systems file goes on")
    else:
        click.echo(f"{system_id} is no longer watched; its records stay until: "
                   f"sre-edge systems delete-records {system_id}")  # fmt: skip


@systems.command("delete-records")
@click.argument("system_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
def delete_records(client: Client, system_id: str, yes: bool, as_json: bool) -> None:
    """Delete the records of a removed system."""
    if not yes:
        click.confirm(f"Delete all records of {system_id}? They cannot be restored", abort=True)
    deleted = client.delete_records(system_id)
    text = f"{deleted} records of {system_id} are deleted"
    click.echo(json.dumps({"deleted": deleted}) if as_json else text)


def _source(one: system_pb2.System) -> str:
    return system_pb2.SourceKind.Name(one.source).removeprefix("SOURCE_KIND_").lower()


def _age(one: system_pb2.System) -> str:
    return f"{_duration(one.frame_age)} ago" if one.HasField("frame_age") else "none yet"


def _duration(value: Duration) -> str:
    return duration(value.ToTimedelta().total_seconds())


COMMANDS: tuple[click.Command, ...] = (systems,)
