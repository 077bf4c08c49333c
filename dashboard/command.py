"""The command line of the dashboard: `python -m dashboard`."""

from __future__ import annotations

import socket
import sys

import click
import uvicorn

from dashboard.app import build
from dashboard.settings import LISTEN, Settings, SettingsError
from dashboard.source.follower import Follower
from sre_edge import Connection, SreEdgeError
from sre_edge.cli.connecting import connecting


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--listen",
    default=LISTEN,
    metavar="HOST:PORT",
    envvar="SRE_EDGE_DASHBOARD_LISTEN",
    show_envvar=True,
    help="Address of the web server; port 0 picks a free port.",
)
@connecting
@click.option(
    "--insecure",
    is_flag=True,
    envvar="SRE_EDGE_INSECURE",
    show_envvar=True,
    help="Allow unencrypted traffic beyond loopback, in a private network.",
)
@click.option(
    "--host-name",
    "hosts",
    multiple=True,
    envvar="SRE_EDGE_DASHBOARD_HOSTS",
    show_envvar=True,
    help="Additional host name that browsers may use; repeatable, space-separated in the variable.",
)
def main(listen: str, connection: Connection, insecure: bool, hosts: tuple[str, ...]) -> None:
    """Serve the web dashboard of an SRE Edge server."""
    settings = Settings(listen, insecure, hosts)
    provider = Follower(connection)
    try:
        listening = _listen(settings)
        provider.start()
    except (SettingsError, SreEdgeError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    config = uvicorn.Config(
        build(provider, settings), log_level="warning", timeout_graceful_shutdown=3
    )
    host, port = listening.getsockname()[:2]
    click.echo(f"dashboard  http://{host}:{port}")
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        provider.close()


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.address
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(128)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.listen} ({error.strerror}); set another address with "
            "--listen or SRE_EDGE_DASHBOARD_LISTEN"
        ) from error
    return listening
