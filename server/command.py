"""The command line of the server: `python -m server`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from ml.serving.artefact import SHIPPED, ArtefactError
from server.app import start
from server.logs import LogFormat, configure
from server.ports import SourceError
from server.settings import LISTEN, METRICS_LISTEN, Settings, SettingsError, default_data
from server.store import StoreError

FILE = click.Path(path_type=Path)

_log = logging.getLogger(__name__)


@click.command(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "SRE_EDGE",
        "show_default": True,
    }
)
@click.option(
    "--listen",
    default=LISTEN,
    metavar="HOST:PORT",
    show_envvar=True,
    help="Where gRPC is served; port 0 takes a free one.",
)
@click.option(
    "--metrics-listen",
    default=METRICS_LISTEN,
    metavar="HOST:PORT",
    show_envvar=True,
    help="Where Prometheus finds /metrics.",
)
@click.option(
    "--insecure",
    is_flag=True,
    show_envvar=True,
    help="Do without TLS and token off loopback, in a private network.",
)
@click.option("--tls-cert", type=FILE, show_envvar=True, help="Certificate with its chain, PEM.")
@click.option("--tls-key", type=FILE, show_envvar=True, help="Its key, PEM.")
@click.option(
    "--client-ca",
    type=FILE,
    show_envvar=True,
    help="Who signs the certificates that clients must have then (mutual TLS), PEM.",
)
@click.option(
    "--token-file", type=FILE, show_envvar=True, help="File with the token that clients must send."
)
@click.option(
    "--topology",
    default="default",
    metavar="FILE",
    show_envvar=True,
    help="Topology file, or the name of a shipped one.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**64 - 1),
    default=1,
    show_envvar=True,
    help="Of the simulation.",
)
@click.option(
    "--speed",
    type=float,
    default=1.0,
    show_envvar=True,
    help="Simulated seconds per second, 0.1 to 100.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    default=SHIPPED,
    show_envvar=True,
    show_default="the shipped one",
    help="Model directory.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_data,
    show_envvar=True,
    show_default="~/.local/share/sre-edge",
    help="Directory of what outlives the server: trained models, and the database.",
)
@click.option(
    "--store",
    metavar="URL",
    show_envvar=True,
    show_default="a file in the data directory",
    help="Database: sqlite:///FILE or postgresql://…; a variable hides its password better.",
)
@click.option(
    "--learn-after",
    type=click.IntRange(min=1),
    show_envvar=True,
    show_default="never",
    metavar="N",
    help="Train a candidate by itself after N new experiments.",
)
@click.option(
    "--max-streams",
    type=click.IntRange(min=1),
    default=1000,
    show_envvar=True,
    help="Streams at a time.",
)
@click.option(
    "--max-calls",
    type=click.IntRange(min=1),
    default=200,
    show_envvar=True,
    help="Calls with one answer at a time.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_envvar=True,
    help="debug has every call.",
)
@click.option(
    "--log-format",
    type=click.Choice([kind.value for kind in LogFormat]),
    default=LogFormat.LOGFMT.value,
    show_envvar=True,
    help="One line per event either way.",
)
@click.option(
    "--slo-scale",
    type=float,
    default=1.0 / 60.0,
    show_envvar=True,
    show_default="1/60: an hour is a minute",
    help="Length of the windows of error budgets over that of real operations.",
)
@click.option(
    "--slo-min-rps",
    type=float,
    default=1.0,
    show_envvar=True,
    help="Request rate below which no error budget alerts.",
)
def main(log_level: str, log_format: str, **stated: Any) -> None:
    """Serve a simulated system of microservices, its metrics and its predictions over gRPC."""
    configure(log_level, LogFormat(log_format))
    settings = Settings(**stated)
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
            os._exit(1)  # asked a second time: at once
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    app = await start(settings)
    facts = {
        "address": app.address,
        "metrics": app.metrics_address,
        **settings.public(),
        "store": str(app.store.place),
    }
    gc.freeze()  # all that is there by now stays: to go through it takes up to 70 ms, each time
    _log.info("started", extra={"fields": facts})
    for warning in app.system.warnings:
        click.echo(f"warning: {warning}", err=True)
    grpc, http = ("grpcs", "https") if settings.tls_cert else ("grpc", "http")
    click.echo(
        f"server     {grpc}://{app.address}  (metrics: {http}://{app.metrics_address}/metrics)"
    )
    click.echo(f"records    {app.store.place}  (models: {app.store.place.models})")
    await stopping.wait()
    _log.info("stopping")
    await app.stop()
    _log.info("stopped")
