"""Runs the server and the dashboard as two processes until one ends or Ctrl-C."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time

import click

REQUIRED_MODULES = {
    "server": "onnxruntime",
    "dashboard": "dash",
}  # what shows that an extra is installed
GRACE_S = 10.0
POLL_S = 0.1


def up() -> int:
    """Start both, wait, stop both; return the exit code."""
    missing = [
        part for part, name in REQUIRED_MODULES.items() if importlib.util.find_spec(name) is None
    ]
    if missing:
        extras = ",".join(missing)
        click.echo(f"up needs {extras}: pip install 'sre-edge[{extras}]'", err=True)
        return 2
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    environment = {"SRE_EDGE_TARGET": _target(), **os.environ}
    # Without the working directory in its path (-P): a `server.py` there is not what is meant. In
    # sessions of their own, so that Ctrl-C reaches them through here, once and in order.
    commands = [[sys.executable, "-P", "-m", part] for part in REQUIRED_MODULES]
    parts = [
        subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603
        for command in commands
    ]
    while not stopping and all(part.poll() is None for part in parts):
        time.sleep(POLL_S)
    codes = [part.poll() for part in parts]
    for part in reversed(parts):
        if part.poll() is None:
            part.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    for part in parts:
        try:
            part.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            part.kill()
            part.wait()
    if stopping:
        click.echo("stopped")
        return 0
    return next((abs(code) or 1 for code in codes if code is not None), 1)


def _target() -> str:
    """Address at which the dashboard reaches the server that is started with it."""
    host, _, port = os.environ.get("SRE_EDGE_LISTEN", "127.0.0.1:50051").rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else f"{host}:{port}"  # noqa: S104
