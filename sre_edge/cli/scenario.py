"""The command that runs a scenario and judges its outcome."""

from __future__ import annotations

import contextlib
import signal
import sys

import click

from sre_edge import outcomes
from sre_edge.cli import output, records
from sre_edge.cli.command import EXIT_FAILED, connected
from sre_edge.cli.values import DOCUMENT
from sre_edge.client import Client
from sre_edge.errors import NotFound
from sre_edge.v1 import experiment_pb2

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a CI job that is cancelled, a terminal that is closed."""

_JUDGEMENTS = {
    "broken": "a service broke",
    "unforetold": "a service broke, and nothing foretold it",
    "unrecovered": "something that broke has not recovered",
    "never": "",
}


@click.command(
    epilog="Exit code 1: the outcome is what --fail-on names. 128 and more: ended by a signal, 130 "
    "by Ctrl-C."
)
@click.argument("document", type=DOCUMENT, metavar="FILE")
@click.option(
    "--fail-on",
    type=click.Choice(list(_JUDGEMENTS)),
    default="broken",
    show_default=True,
    help="Outcome that sets the exit code to 1.",
)
@connected
def scenario(client: Client, document: str, fail_on: str, as_json: bool) -> None:
    """Run the scenario in FILE on the live system, wait for its end, and show the outcome.

    FILE is a scenario file with one scenario; "-" reads standard input. The experiment is followed
    until everything that broke has recovered. Ctrl-C, SIGTERM and SIGHUP stop its faults. A faster
    clock shortens it: sre-edge clock --speed 20.
    """
    received: list[int] = []
    following = False
    handled = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]

    def end(number: int, _: object) -> None:
        for one in handled:
            signal.signal(one, signal.SIG_IGN)  # a second one must not keep faults from stopping
        received.append(number)
        if following:
            raise KeyboardInterrupt

    for number in handled:
        signal.signal(number, end)
    running = client.run_scenario(document)
    progress = ""
    try:
        following = True
        if received:  # while it was begun: its identifier was not known yet
            raise KeyboardInterrupt
        for latest in client.follow_experiment(running.id):
            running = latest
            if _progress(running) != progress and not as_json:
                progress = _progress(running)
                click.echo(progress, err=True)
    except KeyboardInterrupt:
        with contextlib.suppress(NotFound):  # it was over just then
            client.stop_experiment(running.id)
        click.echo(f"stopped {running.id}", err=True)
        sys.exit(128 + received[0])
    if as_json:
        output.json_line(running)
    else:
        records.show_experiment(running)
    if _matches(running, fail_on):
        click.echo(f"failed: {_JUDGEMENTS[fail_on]}", err=True)
        sys.exit(EXIT_FAILED)


COMMANDS: tuple[click.Command, ...] = (scenario,)


def _progress(running: experiment_pb2.Experiment) -> str:
    broken = ", ".join(dict.fromkeys(one.service for one in running.outcome.broke)) or "nothing"
    return f"{running.id} {outcomes.state(running)}, broken so far: {broken}"


def _matches(finished: experiment_pb2.Experiment, what: str) -> bool:
    outcome = finished.outcome
    if outcomes.cut_short(finished):
        return what != "never"  # nobody knows how it would have ended
    return {
        "broken": outcome.broken > 0,
        "unforetold": outcome.broken > 0 and not outcome.foretold,
        "unrecovered": finished.ended_by == experiment_pb2.EXPERIMENT_END_NOT_RECOVERED,
        "never": False,
    }[what]
