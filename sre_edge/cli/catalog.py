"""The commands that say what there is to observe and to break."""

from __future__ import annotations

import click

from sre_edge.calls.chaos import kind_name
from sre_edge.cli import output
from sre_edge.cli.command import connected
from sre_edge.client import Client
from sre_edge.quantities import duration, number
from sre_edge.v1 import catalog_pb2

AMOUNT = "{amount}"
_TARGETS = {
    catalog_pb2.FAULT_TARGET_SERVICE: "service",
    catalog_pb2.FAULT_TARGET_ENTRY: "entry",
    catalog_pb2.FAULT_TARGET_EDGE: "caller->callee",
    catalog_pb2.FAULT_TARGET_NOTHING: '""',
}


@click.command()
@connected
def faults(client: Client, as_json: bool) -> None:
    """List the kinds of faults: what each does at intensity 1, and to what."""
    found = client.catalog().faults
    if as_json:
        for kind in found:
            output.json_line(kind)
        return
    heads = ("kind", "target", "at intensity 1", "intensity", "duration")
    shown = output.plain_table("the effect is linear in the intensity", heads)
    for kind in found:
        amount = number(kind.amount, kind.unit)
        longest = duration(kind.maximum_duration.ToTimedelta().total_seconds())
        shown.add_row(
            kind_name(kind.kind),
            " or ".join(_TARGETS.get(target, "") for target in kind.targets),
            kind.sentence.replace(AMOUNT, amount),
            f"up to {kind.maximum_intensity:g}",
            f"up to {longest}",
        )
    output.console.print(shown)


COMMANDS: tuple[click.Command, ...] = (faults,)
