"""The commands that follow the server until Ctrl-C."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial

import click
from google.protobuf.json_format import MessageToDict
from rich.live import Live

from sre_edge.cli import output
from sre_edge.cli.command import connected
from sre_edge.cli.values import SERVICE
from sre_edge.client import Client
from sre_edge.freshness import Stale
from sre_edge.times import moment
from sre_edge.v1 import clock_pb2, event_pb2, snapshot_pb2
from sre_edge.watch import Connected, Disconnected


class _Table:
    """A table on a terminal that always shows the latest snapshot, and whether it is still true."""

    def __init__(
        self, stack: contextlib.ExitStack, first: snapshot_pb2.Snapshot, metrics: output.Metrics
    ) -> None:
        self._latest, self._metrics = first, metrics
        live = Live(output.snapshot(first, metrics), console=output.console)
        self._live = stack.enter_context(live)

    def show(self, latest: snapshot_pb2.Snapshot) -> None:
        self._latest = latest
        self._live.update(output.snapshot(latest, self._metrics), refresh=True)

    def mark(self, event: Connected | Disconnected | Stale | snapshot_pb2.Gap) -> None:
        """Show that what is shown is out of date, or no longer is."""
        if isinstance(event, Connected):
            self.show(self._latest)
        elif isinstance(event, Disconnected | Stale):
            why = event.reason if isinstance(event, Disconnected) else str(event)
            old = output.old_snapshot(self._latest, self._metrics, why)
            self._live.update(old, refresh=True)


SERVICES = click.argument("services", nargs=-1, type=SERVICE)


@click.command()
@SERVICES
@click.option("--count", type=click.IntRange(min=1), help="Stop after this many snapshots.")
@connected
def watch(client: Client, services: tuple[str, ...], count: int | None, as_json: bool) -> None:
    """Watch all SERVICES or some, live, until Ctrl-C; reconnects by itself.

    On a terminal it keeps a table up to date; otherwise it prints a line per service and snapshot.
    """
    first = client.metrics(services)  # says at once if nobody is there, or a name is wrong
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        show: Callable[[snapshot_pb2.Snapshot], None] = output.json_line
        table: _Table | None = None
        if not as_json:
            metrics = output.overview(client.catalog())
            show = partial(output.snapshot_lines, metrics=metrics)
            if output.console.is_terminal:
                table = _Table(stack, first, metrics)
                show = table.show
        shown = 0
        for event in stack.enter_context(client.watch(services)):
            if isinstance(event, snapshot_pb2.Snapshot):
                show(event)
                shown += 1
                if shown == count:
                    return
            elif isinstance(event, clock_pb2.Clock):
                click.echo(output.clock(event), err=True)
            else:
                if table:
                    table.mark(event)
                _report_stream(event, as_json)


@click.command()
@SERVICES
@click.option("--count", type=click.IntRange(min=1), help="Stop after this many events.")
@connected
def events(client: Client, services: tuple[str, ...], count: int | None, as_json: bool) -> None:
    """Follow the events of all SERVICES or some, until Ctrl-C; reconnects by itself."""
    client.metrics(services)  # says at once if nobody is there, or a name is wrong
    with contextlib.suppress(KeyboardInterrupt), client.events(services) as stream:
        printed = 0
        for event in stream:
            if not isinstance(event, event_pb2.Event):
                _report_stream(event, as_json)
                continue
            if as_json:
                output.json_line(event)
            else:
                click.echo(f"{moment(event.time)}  {event.text}")
            printed += 1
            if printed == count:
                return


COMMANDS: tuple[click.Command, ...] = (watch, events)


def _report_stream(
    event: Connected | Disconnected | Stale | snapshot_pb2.Gap, as_json: bool
) -> None:
    """Report the state of the stream on standard error."""
    if isinstance(event, Disconnected):
        click.echo(f"{event.reason}; trying again ...", err=True)
    elif isinstance(event, Stale):
        click.echo(f"stale: {event}", err=True)
    elif isinstance(event, snapshot_pb2.Gap):
        if as_json:
            gap = MessageToDict(event, preserving_proto_field_name=True)
            click.echo(json.dumps({"gap": gap}), err=True)
            return
        reason = snapshot_pb2.GapReason.Name(event.reason).removeprefix("GAP_REASON_").lower()
        which = f"from {event.first_sequence} to {event.last_sequence}"
        which = which if event.HasField("first_sequence") else "up to its end"
        click.echo(f"lost of run {event.run_id}: {which} ({reason.replace('_', ' ')})", err=True)
