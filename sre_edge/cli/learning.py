"""The commands about models: `sre-edge model` and `sre-edge train`."""

from __future__ import annotations

import sys

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from sre_edge.cli import output, tables
from sre_edge.cli.command import EXIT_FAILED, Commands, connected
from sre_edge.client import Client
from sre_edge.v1 import training_pb2

SIZE = click.IntRange(1, 2**32 - 1)
"""What the API can hold; the server decides how much is too much."""

_ENDED_WELL = (training_pb2.TRAINING_STATE_PROMOTED, training_pb2.TRAINING_STATE_KEPT)


@click.group(cls=Commands)
def model() -> None:
    """List and describe models, and make another one live."""


@model.command("list")
@connected
def list_models(client: Client, as_json: bool) -> None:
    """List all models, newest first."""
    found = client.models()
    if as_json:
        for one in found:
            output.json_line(one)
    else:
        tables.models(found)


@model.command()
@click.argument("version", default="")
@connected
def show(client: Client, version: str, as_json: bool) -> None:
    """Show the card of the model VERSION; default: the live one. --json: all that is known."""
    answer = client.model(version)
    if as_json:
        output.json_line(answer)
    else:
        tables.card(answer)


@model.command()
@click.argument("version")
@connected
def activate(client: Client, version: str, as_json: bool) -> None:
    """Make the model VERSION live, without losing a prediction."""
    answer = client.activate_model(version)
    if as_json:
        output.json_line(answer)
    elif answer.previous_version == answer.model.version:
        click.echo(f"{version} is already live")
    else:
        click.echo(
            f"{version} is live; roll back with: sre-edge model activate {answer.previous_version}"
        )


@click.command(epilog="With --wait: exit code 1 if the training failed or was interrupted.")
@click.option("--wait", is_flag=True, help="Show progress until the training has ended.")
@click.option("--status", is_flag=True, help="Start none; show the latest one.")
@click.option("--systems", type=SIZE, help="Number of simulated systems to learn from, too.")
@click.option("--episodes", type=SIZE, help="Simulated runs per system.")
@click.option(
    "--held-out-systems",
    type=SIZE,
    help="Number of systems to compare on, and to calibrate on.",
)
@click.option("--rounds", type=SIZE, help="Maximum number of trees to add.")
@connected
def train(
    client: Client,
    wait: bool,
    status: bool,
    systems: int | None,
    episodes: int | None,
    held_out_systems: int | None,
    rounds: int | None,
    as_json: bool,
) -> None:
    """Train a candidate from the live model and from recorded experiments.

    It goes live by itself if it is shown to be better; otherwise it is kept, with the reason.
    """
    training = (
        client.training()
        if status
        else client.train(
            systems=systems, episodes=episodes, held_out_systems=held_out_systems, rounds=rounds
        )
    )
    if wait:
        training = _followed(client, training, as_json)
    elif as_json:
        output.json_line(training)
    if not as_json:
        tables.training(training)
    if wait and training.state not in _ENDED_WELL:
        sys.exit(EXIT_FAILED)


COMMANDS: tuple[click.Command, ...] = (model, train)


def _followed(
    client: Client, training: training_pb2.Training, as_json: bool
) -> training_pb2.Training:
    """Show progress until a training has ended, as a bar or as lines of JSON."""
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=output.console, disable=as_json, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        for latest in client.follow_training(training.id):
            training = latest
            if as_json:
                output.json_line(training)
            stage = f"{training.stage} {training.message}".strip()
            running = training.state == training_pb2.TRAINING_STATE_RUNNING
            bar.update(task, completed=training.share_done, description=stage if running else "")
    return training
