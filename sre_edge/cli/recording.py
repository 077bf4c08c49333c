"""The command that records what is live."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from sre_edge.cli import output
from sre_edge.cli.command import EXIT_FAILED, connected
from sre_edge.cli.values import DURATION
from sre_edge.client import Client
from sre_edge.freshness import Stale
from sre_edge.quantities import duration
from sre_edge.recording import parquet
from sre_edge.recording.writer import RecordingWriter
from sre_edge.v1 import clock_pb2, snapshot_pb2
from sre_edge.watch import Disconnected

PROGRESS_S = 1.0
PAUSED = "the clock is paused, nothing new is recorded until it goes on: sre-edge clock --resume"


@dataclass(slots=True)
class _End:
    """Why a recording ended; `early` if that was before its time."""

    reason: str = "ended by Ctrl-C"
    early: bool = False


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--for",
    "seconds",
    type=DURATION,
    help="How long to record, in the system's time, such as 10m or 1h; default: until Ctrl-C.",
)
@click.option(
    "--from-now",
    is_flag=True,
    help="Leave out what the server still holds of the run, the last half an hour or so.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Keep the tables as CSV instead of Parquet.")
@connected
def record(
    client: Client,
    directory: Path,
    seconds: float | None,
    from_now: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Record what is live to DIR, until Ctrl-C; a server plays it: python -m server --recording DIR

    It begins with what the server still holds of the run, so that what has just happened is in it,
    too. Recorded from the run's beginning, it plays with the same predictions, number for number.
    What is written is a recording at any moment, also after a crash. A run that ends (a reset, or
    another server) ends the recording, with exit code 1 if that is before its time.
    """  # noqa: D400 - the command stands at the end of its line
    named = client.system()
    if named.clock.paused:
        click.echo(PAUSED, err=True)
    made_by = f"sre-edge {importlib.metadata.version('sre-edge')} record, of {named.name}"
    try:
        writer = RecordingWriter(directory, made_by)
    except OSError as error:
        raise click.UsageError(f"{directory}: {error.strerror}") from error
    end = _End()
    with writer, _ending():
        try:
            _record(client, writer, end, seconds, with_past=not from_now, quiet=as_json)
        except OSError as error:
            end.reason, end.early = f"{error.filename or directory}: {error.strerror}", True
    if not writer.intervals:
        click.echo(f"nothing was recorded: {end.reason}", err=True)
        sys.exit(EXIT_FAILED)
    if not as_csv and parquet.is_available():
        parquet.convert(directory)
    elif not as_csv:
        click.echo(
            "the tables stay CSV: Parquet needs pip install 'sre-edge[recordings]'", err=True
        )
    _report(directory, writer, end, as_json=as_json)
    if end.early:
        sys.exit(EXIT_FAILED)


COMMANDS: tuple[click.Command, ...] = (record,)


def _record(
    client: Client,
    writer: RecordingWriter,
    end: _End,
    seconds: float | None,
    *,
    with_past: bool,
    quiet: bool,
) -> None:
    """Write snapshots until Ctrl-C, until it is enough, or until the run ends."""
    latest_s = client.metrics().time.ToNanoseconds() / 1e9
    run_id, topology, written, shown = "", -1, -1, 0.0
    with client.watch(without_predictions=True, with_past=with_past) as stream:
        for event in stream:
            if isinstance(event, Disconnected):
                click.echo(f"{event.reason}; trying again ...", err=True)
            if isinstance(event, Stale):
                click.echo(f"stale: {event}", err=True)
            if isinstance(event, clock_pb2.Clock) and event.paused:
                click.echo(PAUSED, err=True)
            if not isinstance(event, snapshot_pb2.Snapshot):
                continue
            run_id = run_id or event.cursor.run_id
            if event.cursor.run_id != run_id:
                end.reason, end.early = "the run ended: a reset, or another server", True
                return
            if event.topology_sequence != topology:
                topology = event.topology_sequence
                if _write_topology(client, writer, event):
                    written = topology
            if written == topology:
                writer.add(event)
            passed_s = event.time.ToNanoseconds() / 1e9 - latest_s
            if not quiet and time.monotonic() - shown >= PROGRESS_S:
                shown = time.monotonic()
                _show_progress(writer, event)
            if seconds is not None and passed_s >= seconds:
                end.reason = ""
                return


def _write_topology(
    client: Client, writer: RecordingWriter, snapshot: snapshot_pb2.Snapshot
) -> bool:
    """Write the topology of a snapshot, unless it has been replaced by a later one already.

    The snapshots until then are left out: nobody knows their system any more.
    """
    found = client.topology_document()
    if not found.document:
        raise click.UsageError("the server is too old to be recorded: it gives no topology file")
    wanted = (snapshot.cursor.run_id, snapshot.topology_sequence)
    if (found.run_id, found.topology_sequence) != wanted:
        return False
    writer.topology(found.document, snapshot)
    return True


def _show_progress(writer: RecordingWriter, snapshot: snapshot_pb2.Snapshot) -> None:
    if not sys.stderr.isatty():
        return
    recorded = duration(writer.intervals * snapshot.interval_seconds)
    click.echo(f"\r\033[Krecorded {recorded} of {len(snapshot.services)} services, "
               f"{len(writer.faults)} faults", err=True, nl=False)  # fmt: skip


def _report(directory: Path, writer: RecordingWriter, end: _End, *, as_json: bool) -> None:
    size = sum(path.stat().st_size for path in directory.iterdir())
    if as_json:
        click.echo(
            json.dumps(
                {
                    "directory": str(directory),
                    "intervals": writer.intervals,
                    "past_intervals": writer.past,
                    "faults": len(writer.faults),
                    "bytes": size,
                    "ended_early": end.early,
                    "reason": end.reason,
                }
            )
        )
        return
    if sys.stderr.isatty():
        click.echo("\r\033[K", err=True, nl=False)
    if end.reason:
        click.echo(end.reason, err=True)
    click.echo(
        f"{directory}: {writer.intervals} intervals, {len(writer.faults)} faults, "
        f"{size / 1e6:.1f} MB"
    )
    output.console.print(f"play it: python -m server --recording {directory}")


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    """End the block in order by Ctrl-C, SIGTERM and SIGHUP."""

    def end(_: int, __: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
