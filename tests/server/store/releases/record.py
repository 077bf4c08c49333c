"""Writes the database of this version: `python -m tests.server.store.releases.record`.

Run it before a release, with the version that is about to be released, and commit what it writes.
It goes through the API alone, so that it works whatever the code behind it is. Two minutes.
"""

from __future__ import annotations

import gzip
import sqlite3
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from sre_edge import Client, NotNow
from sre_edge.v1 import experiment_pb2, training_pb2
from tests.processes import Program, wait_until
from tests.server.learning import TINY

HERE = Path(__file__).parent


def recorded(client: Client) -> int:
    """Count the experiments that learning mode has recorded; from two on, a training starts."""
    try:
        client.train(**TINY)
    except NotNow as error:
        return int(error.metadata["experiments"])
    return 2


def record(data: Path) -> None:
    """Have a server write records of every kind, and leave some of them open."""
    server = Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--speed", "100", SRE_EDGE_DATA=str(data),
    )  # fmt: skip
    try:
        with Client(server.expect(r"grpc://(\S+)")[1], timeout_s=30.0) as client:
            faults = (("database", "service_kill"), ("auth-service", "error_burst"))
            for number, (target, kind) in enumerate(faults, 1):
                fault = client.inject(target, kind, duration_s=90, ramp_s=40)
                for seen in client.follow_experiment(fault.experiment_id, every_s=0.2):
                    print(fault.target, experiment_pb2.ExperimentState.Name(seen.state), flush=True)
                wait_until(lambda n=number: recorded(client) == n)  # type: ignore[misc]
            for seen in client.follow_training():
                print(training_pb2.TrainingState.Name(seen.state), seen.stage, flush=True)
            client.activate_model(client.training().candidate_version)
            client.stop_all(kill_switch=True)
            client.lift_kill_switch()
            client.inject("database", "service_kill", duration_s=3600)
            with client.events() as events:
                while not client.incidents(is_open=True):
                    next(iter(events))
            client.set_clock(paused=True)
            client.stop_all(kill_switch=True)
    finally:
        server.stop()


def main() -> None:
    """Record, and pack the database."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        record(data)
        packed = Path(folder) / "packed"
        with closing(sqlite3.connect(data / "store.sqlite3")) as connection:
            connection.execute("DELETE FROM learned_examples")
            connection.commit()
            connection.execute("VACUUM INTO ?", (str(packed),))
        target = HERE / f"{version('sre-edge')}.sqlite3.gz"
        target.write_bytes(gzip.compress(packed.read_bytes(), 9, mtime=0))
        print(target, f"{target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
