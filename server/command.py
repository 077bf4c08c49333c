"""The command line of the server: `python -m server`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click

from ml.serving.artefact import ArtefactError
from server.app import App, start
from server.logs import LogFormat, configure
from server.ports import SourceError
from server.settings import Settings, SettingsError
from server.store import StoreError

_FILE = click.Path(path_type=Path)
_AT_LEAST_ONE = click.IntRange(min=1)
_DEFAULTS: dict[str, Any] = {  # the home directory is looked up only if it is needed
    field.name: field.default_factory if field.default is MISSING else field.default
    for field in fields(Settings)
}

_log = logging.getLogger(__name__)


def _option(flag: str, **options: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make an option that shows its variable and has the default of its setting."""
    default = _DEFAULTS.get(flag.lstrip("-").replace("-", "_"))
    return click.option(flag, **{"show_envvar": True, "default": default, **options})


@click.command(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "SRE_EDGE",
        "show_default": True,
    }
)
@_option("--listen", metavar="HOST:PORT", help="Address for gRPC; port 0 picks a free port.")
@_option("--metrics-listen", metavar="HOST:PORT", help="Address of /metrics for Prometheus.")
@_option(
    "--insecure",
    is_flag=True,
    help="Listen off loopback without TLS or token; only for a private network.",
)
@_option("--tls-cert", type=_FILE, help="TLS certificate of the server with its chain, PEM file.")
@_option("--tls-key", type=_FILE, help="Private key of the certificate, PEM file.")
@_option(
    "--client-ca",
    type=_FILE,
    help="CA of the certificates that clients must then present (mutual TLS), PEM file.",
)
@_option("--token-file", type=_FILE, help="File with the token that clients must send.")
@_option(
    "--systems",
    type=_FILE,
    show_default="one simulated system",
    help="Systems file: which systems to watch; SIGHUP reads it again.",
)
@_option(
    "--recording",
    type=_FILE,
    show_default="none: simulate",
    metavar="DIR",
    help="Play a recording, made by `sre-edge record`, instead of a simulation.",
)
@_option(
    "--recordings",
    type=_FILE,
    show_default="none",
    metavar="DIR",
    help="Folder of recordings that may be named when a system is added by a call.",
)
@_option(
    "--topologies",
    type=_FILE,
    show_default="none",
    metavar="DIR",
    help="Folder of topology files that may be named when a system is added by a call.",
)
@_option("--topology", metavar="FILE", help="Topology file, or name of a built-in topology.")
@_option("--seed", type=click.IntRange(min=0, max=2**64 - 1), help="Seed of the simulation.")
@_option("--speed", help="Seconds of the system's time per second, 0.1 to 100.")
@_option("--model", type=_FILE, show_default="the shipped one", help="Directory of the model.")
@_option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    show_default="~/.local/share/sre-edge",
    help="Directory for trained models and, by default, the database.",
)
@_option(
    "--store",
    metavar="URL",
    show_default="a file in the data directory",
    help="Database: sqlite:///FILE or postgresql://…; prefer the variable if it has a password.",
)
@_option(
    "--learn-after",
    type=_AT_LEAST_ONE,
    show_default="never",
    metavar="N",
    help="Start a training automatically after N new experiments.",
)
@_option("--max-streams", type=_AT_LEAST_ONE, help="Maximum number of open streams.")
@_option("--max-calls", type=_AT_LEAST_ONE, help="Maximum number of unary calls in progress.")
@_option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    help="Minimum level of log lines; debug includes every call.",
)
@_option(
    "--log-format",
    type=click.Choice([kind.value for kind in LogFormat]),
    default=LogFormat.LOGFMT.value,
    help="Format of log lines; there is one line per event.",
)
@_option(
    "--slo-scale",
    show_default="1/60: an hour is a minute",
    help="Factor for the length of error budget windows; 1 is real time.",
)
@_option("--slo-min-rps", help="Request rate below which error budget alerts do not fire.")
def main(log_level: str, log_format: str, **options: Any) -> None:
    """Serve a simulated system of microservices, its metrics and its predictions over gRPC."""
    configure(log_level, LogFormat(log_format))
    settings = Settings(**options)
    try:
        asyncio.run(_serve(settings))
    except (SettingsError, SourceError, ArtefactError, StoreError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)


async def _serve(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            os._exit(1)  # a second signal: exit at once
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    started: list[App] = []
    reloading: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive

    def reload() -> None:
        if started:  # until then the file is being read anyway
            reloading.add(task := asyncio.create_task(started[0].reload()))
            task.add_done_callback(reloading.discard)

    if settings.systems is not None:
        loop.add_signal_handler(signal.SIGHUP, reload)
    app = await start(settings)
    started.append(app)
    fields = {
        "address": app.address,
        "metrics": app.metrics_address,
        **settings.public(),
        "store": str(app.store.location),
    }
    gc.freeze()  # everything loaded so far stays; collecting it takes up to 70 ms each time
    _log.info("started", extra={"fields": fields})
    for hosted in app.systems.hosted():
        for warning in hosted.system.warnings:
            click.echo(f"warning: {warning}", err=True)
    grpc, http = ("grpcs", "https") if settings.tls_cert else ("grpc", "http")
    click.echo(
        f"server     {grpc}://{app.address}  (metrics: {http}://{app.metrics_address}/metrics)"
    )
    click.echo(f"records    {app.store.location}  (models: {app.store.location.models})")
    await stopping.wait()
    _log.info("stopping")
    await app.stop()
    _log.info("stopped")
