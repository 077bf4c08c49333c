"""The commands of `sre-edge`."""

from __future__ import annotations

import json
import sys
from datetime import datetime

import click
from click.core import ParameterSource
from click.shell_completion import get_completion_class

from sre_edge.calls.chaos import fault_kinds
from sre_edge.cli import (
    backup,
    catalog,
    learning,
    output,
    recording,
    records,
    scenario,
    systems,
    watching,
)
from sre_edge.cli.command import EXIT_CODES, Commands, connected
from sre_edge.cli.values import DURATION, FAULT_KIND, SERVICE, TIME, TOPOLOGY
from sre_edge.client import Client

EXPERIMENT_PREFIX = "x-"


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "SRE_EDGE"},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="sre-edge")
def main() -> None:
    """Watch a system of microservices, predict its incidents, and inject faults.

    \b
    sre-edge up                                       start server and dashboard here
    sre-edge watch                                    live figures of all services
    sre-edge inject database service_kill --for 1m    break something
    sre-edge predict                                  what is about to break
    """  # noqa: D301 - \b is click's mark for lines that it must not wrap


@main.command()
@connected
def topology(client: Client, as_json: bool) -> None:
    """Show the services and their dependencies; (optional) ones are in parentheses."""
    system = client.topology()
    if as_json:
        output.json_line(system)
    else:
        output.topology(system)


@main.command()
@click.argument("services", nargs=-1, type=SERVICE)
@click.option("--features", is_flag=True, help="With --json: include the inputs of the model.")
@click.option("--explain", is_flag=True, help="Show what raises the risk, in plain words.")
@connected
def predict(
    client: Client, services: tuple[str, ...], features: bool, explain: bool, as_json: bool
) -> None:
    """Predict incidents of all SERVICES or some, and of the system."""
    answer = client.predict(services, include_features=features, explain=explain)
    if as_json:
        output.json_line(answer)
    else:
        output.predictions(answer.predictions, answer.system)


@main.command(epilog=f"Kinds: {', '.join(fault_kinds())}; `sre-edge faults` says what each does.")
@click.argument("target", type=SERVICE, metavar="TARGET")
@click.argument("kind", type=FAULT_KIND, metavar="KIND")
@click.option(
    "--for",
    "duration_s",
    type=DURATION,
    default="60s",
    show_default=True,
    help="Duration of the fault, such as 30s or 5m.",
)
@click.option(
    "--intensity", type=float, help="Strength of the fault; 1 is the default of its kind."
)
@click.option(
    "--ramp", "ramp_s", type=DURATION, help="Time until the full strength; default: none."
)
@click.option("--share", type=float, help="Share of the replicas to affect, up to 1; default: all.")
@connected
def inject(
    client: Client,
    target: str,
    kind: str,
    duration_s: float,
    intensity: float | None,
    ramp_s: float | None,
    share: float | None,
    as_json: bool,
) -> None:
    """Inject a fault of KIND into TARGET, a service or "caller->callee"; it ends by itself."""
    injected = client.inject(
        target, kind, duration_s=duration_s, intensity=intensity, ramp_s=ramp_s, share=share
    )
    if as_json:
        output.json_line(injected)
    else:
        click.echo(output.fault(injected))


@main.command()
@click.argument("identifier", required=False)
@click.option("--all", "way", flag_value="all", help="End all faults.")
@click.option(
    "--kill-switch", "way", flag_value="kill", help="End all faults and accept no new ones."
)
@click.option("--lift", "way", flag_value="lift", help="Accept faults again.")
@click.option("--every-system", is_flag=True, help="With the other options: of all systems.")
@connected
def stop(
    client: Client, identifier: str | None, way: str | None, every_system: bool, as_json: bool
) -> None:
    """End the fault or the experiment IDENTIFIER, or all; the kill switch also blocks new ones."""
    if (way is None) == (identifier is None):
        raise click.UsageError("expected either IDENTIFIER, --all, --kill-switch or --lift")
    named = click.get_current_context().get_parameter_source("system")
    if every_system and (way is None or named is ParameterSource.COMMANDLINE):
        raise click.UsageError("--every-system: expected no IDENTIFIER and no --system with it")
    if way == "lift":
        lifted = client.lift_kill_switch(every_system=every_system)
        click.echo(json.dumps({"lifted": lifted}) if as_json else "faults are accepted again")
        return
    if identifier is None:
        stopped = client.stop_all(kill_switch=way == "kill", every_system=every_system)
    elif identifier.startswith(EXPERIMENT_PREFIX):
        stopped = client.stop_experiment(identifier)
    else:
        stopped = client.stop(identifier)
    for fault in stopped:
        if as_json:
            output.json_line(fault)
        else:
            click.echo(f"stopped {output.fault(fault)}")
    if way == "kill" and not as_json:
        everywhere = " --every-system" if every_system else ""
        click.echo(f"no fault is accepted until: sre-edge stop --lift{everywhere}")
    elif not stopped and not as_json:
        click.echo("no fault is active")


@main.command()
@click.option("--pause/--resume", "paused", default=None, help="Pause or resume the clock.")
@click.option("--speed", type=float, help="Seconds of the system's time per second, 0.1 to 100.")
@click.option(
    "--seek",
    type=TIME,
    metavar="TIME",
    help="Go to a time of a recording, such as 2026-05-01T12:30:00; UTC unless it has a zone.",
)
@connected
def clock(
    client: Client,
    paused: bool | None,
    speed: float | None,
    seek: datetime | None,
    as_json: bool,
) -> None:
    """Show the clock of the system, pause or resume it, set its speed, or seek in a recording."""
    if (paused, speed, seek) == (None, None, None):
        now = client.info().clock
    else:
        now = client.set_clock(paused=paused, speed=speed, time=seek)
    if as_json:
        output.json_line(now)
    else:
        click.echo(output.clock(now))


@main.command()
@connected
def info(client: Client, as_json: bool) -> None:
    """Show the version, the limits, and live figures of the server."""
    found = client.info()
    if as_json:
        output.json_line(found)
    else:
        output.info(found)


@main.command()
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**64 - 1),
    help="Seed of the simulation; default: the one of the present run.",
)
@click.option(
    "--topology",
    type=TOPOLOGY,
    metavar="FILE",
    help="Topology file, or name of a shipped one; default: the present topology.",
)
@connected
def reset(client: Client, seed: int | None, topology: str | None, as_json: bool) -> None:
    """Start a new run: healthy, without faults."""
    run_id = client.reset(seed, topology=topology)
    click.echo(json.dumps({"run_id": run_id}) if as_json else f"new run {run_id}")


for module in (watching, recording, catalog, scenario, learning, records, systems, backup):
    for command in module.COMMANDS:
        main.add_command(command)


@main.command()
def up() -> None:
    """Start the server and the dashboard on this machine, until Ctrl-C.

    Settings come from SRE_EDGE_* variables; `python -m server --help` and
    `python -m dashboard --help` list them.
    """
    from sre_edge.cli.up import up as run

    sys.exit(run())


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that lets SHELL complete commands, options, and names of services.

    \b
    bash: sre-edge completion bash > ~/.local/share/bash-completion/completions/sre-edge
    zsh:  sre-edge completion zsh > a file _sre-edge in a directory of $fpath
    fish: sre-edge completion fish > ~/.config/fish/completions/sre-edge.fish
    """  # noqa: D301 - \b is click's mark for lines that it must not wrap
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(main, {}, "sre-edge", "_SRE_EDGE_COMPLETE").source())
