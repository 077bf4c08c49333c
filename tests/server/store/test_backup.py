"""Backup while a server writes, restore while none does, and what cannot be either."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from server.store import locate, open_store
from sre_edge import Client
from tests.processes import QUIET, Program, wait_until

SERVER = ("-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")


def run(command: str, file: Path, data: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from sre_edge.cli import main; main()", command, str(file)],
        env={**QUIET, "SRE_EDGE_DATA": str(data), **variables},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_backup_of_a_server_that_writes_is_whole_and_comes_back(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "backup.sqlite3"
    server = Program(*SERVER, "--speed", "100", SRE_EDGE_DATA=str(data))
    with Client(server.expect(r"grpc://(\S+)")[1]) as client:
        first = client.inject("database", "service_kill", duration_s=60)
        wait_until(client.incidents)
        done = run("backup", file, data)
        assert done.returncode == 0, done.stderr
        assert "is backed up to" in done.stdout
        later = client.inject("auth-service", "error_burst", duration_s=600)
        refused = run("restore", file, data)
        assert (refused.returncode, "is in use by another server" in refused.stderr) == (2, True)
        server.stop(signal.SIGKILL)
    done = run("restore", file, data)
    assert done.returncode == 0, done.stderr
    server = Program(*SERVER, SRE_EDGE_DATA=str(data))
    with Client(server.expect(r"grpc://(\S+)")[1]) as client:
        known = {one.id for one in client.experiments()}
        assert first.experiment_id in known
        assert later.experiment_id not in known
        assert client.incidents()
    assert server.stop() == 0
    done = run("restore", data / "store.sqlite3.before-restore", data)  # and forth again
    assert done.returncode == 0, done.stderr
    server = Program(*SERVER, SRE_EDGE_DATA=str(data))
    with Client(server.expect(r"grpc://(\S+)")[1]) as client:
        assert later.experiment_id in {one.id for one in client.experiments()}
    assert server.stop() == 0


def test_what_is_no_backup_or_no_file_is_said_and_changes_nothing(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "backup.sqlite3"
    nothing = run("backup", file, data)
    assert (nothing.returncode, "there is no database to back up" in nothing.stderr) == (2, True)
    assert not file.exists()
    file.write_text("anything")
    wrong = run("restore", file, data)
    assert (wrong.returncode, "expected a backup of" in wrong.stderr) == (2, True)
    assert not (data / "store.sqlite3").exists()
    url = "postgresql://u:secret@127.0.0.1:9/x"
    other = run("backup", file, data, SRE_EDGE_STORE=url)
    assert (other.returncode, "pg_dump" in other.stderr) == (2, True)
    assert "secret" not in other.stderr + other.stdout
    full = run("backup", Path("/dev/full/x"), data)
    assert full.returncode == 2


def test_a_damaged_database_is_kept_and_the_database_itself_is_no_target(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "backup.sqlite3"
    open_store(locate(data, None)).close()
    database = data / "store.sqlite3"
    database.chmod(0o600)
    assert run("backup", file, data).returncode == 0
    for command in ("backup", "restore"):
        done = run(command, database, data)
        assert (done.returncode, "the database itself" in done.stderr) == (2, True), done.stderr
    database.write_bytes(b"damaged" * 1000)
    done = run("restore", file, data)
    assert done.returncode == 0, done.stderr
    assert (data / "store.sqlite3.before-restore").read_bytes() == b"damaged" * 1000
    assert database.stat().st_mode & 0o777 == 0o600
    open_store(locate(data, None)).close()
