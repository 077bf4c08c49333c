"""A real PostgreSQL of Debian's package, on loopback, as a user without rights."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import missing
from tests.processes import free_port

USER, PASSWORD = "sre_edge", "s3cret-of-tests"


def programs() -> Path:
    """Directory of initdb and pg_ctl, or skip; under CI missing ones are a failure."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda p: p.parts[4])
    on_path = shutil.which("pg_ctl")
    if found:
        return found[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    raise missing("postgresql")


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL with the URL of its maintenance database, password included.

    It can be stopped, and started again where it was.
    """

    url: str
    start: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a PostgreSQL."""
    bin_ = programs()
    # It refuses to run as root, and to use a directory that another user owns.
    unprivileged = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="sre-edge-postgres-") as directory:
        base = Path(directory)
        (base / "password").write_text(PASSWORD)
        if unprivileged:
            subprocess.run(["chown", "-R", "nobody", directory], check=True)
        port = free_port()

        def run(program: str, *arguments: str) -> None:
            done = subprocess.run(
                [*unprivileged, str(bin_ / program), *arguments],
                cwd=directory, capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
            log = base / "log"
            assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")

        data = str(base / "data")
        run("initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", "--no-sync",
            f"--pwfile={base / 'password'}", "--encoding=UTF8", "--locale=C")  # fmt: skip
        options = f"-h 127.0.0.1 -p {port} -k {directory} -F"

        def start() -> None:
            run("pg_ctl", "-D", data, "-o", options, "-l", str(base / "log"), "-w", "start")

        def stop() -> None:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")

        start()
        try:
            url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
            yield Postgres(url, start, stop)
        finally:
            stop()
