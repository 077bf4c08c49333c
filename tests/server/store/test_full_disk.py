"""A full disk: said plainly, nothing that was written is lost, and the server goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from server.store import Store, StoreError, locate, open_store
from sre_edge.v1 import chaos_service_pb2
from sre_edge.v1 import simulation_service_pb2 as pb
from tests.conftest import StartServer
from tests.server.store.test_store import add, newest
from tests.server.stubs import Stubs, reason, wait_for

SMALL = "4m"
CONTENT = os.urandom(100_000)
MANY = 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a real file system of 4 MB; skipped where that is not allowed."""
    where = tmp_path / "small"
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(where)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(CONTENT) == len(CONTENT):
            pass
    assert os.statvfs(path).f_bavail == 0


def filled(store: Store) -> int:
    """Write until it does not go on; gives how many records were written."""
    said = ""
    for written in range(MANY):
        try:
            add(store, f"r{written}", CONTENT)
        except StoreError as error:
            said = str(error)
            break
    assert "full" in said
    return written


def test_what_was_written_stays_and_writing_goes_on_when_there_is_room(small_disk: Path) -> None:
    store = open_store(locate(small_disk, None))
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (2 << 20))
    written = filled(store)
    assert written > 3
    assert len(store.read(newest)) == written
    filler.unlink()
    add(store, "after", CONTENT)
    store.close()
    store = open_store(locate(small_disk, None))
    assert store.read(newest)[0].run_id == "after"
    assert len(store.read(newest)) == written + 1
    store.close()


def test_the_same_with_a_database_that_may_not_grow(tmp_path: Path) -> None:
    """SQLite answers SQLITE_FULL as on a full disk; this one runs without rights to mount."""
    store = open_store(locate(tmp_path, None))
    store.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 300").fetchall()).result()
    written = filled(store)
    assert written > 3
    assert len(store.read(newest)) == written
    store.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 3000").fetchall()).result()
    add(store, "after", CONTENT)
    assert len(store.read(newest)) == written + 1
    store.close()


async def test_the_server_goes_on_with_a_full_disk(
    start_server: StartServer, small_disk: Path
) -> None:
    app = await start_server(data=small_disk)
    async with grpc.aio.insecure_channel(app.address) as channel:
        stubs = Stubs(channel)
        stream = stubs.simulation.StreamMetrics(pb.StreamMetricsRequest())
        first = (await stream.read()).snapshot
        fault = await stubs.inject(target="database", kind="FAULT_KIND_CPU_SPIKE", duration="20s")
        filler = small_disk / "filler"
        fill(filler)
        wanted = {"target": "database", "kind": "FAULT_KIND_SERVICE_KILL", "duration": "20s"}
        # What is left in the last page of the log may take some records.
        async with asyncio.timeout(60):
            while not await not_stored(stubs.inject(**wanted)):
                pass
        stop = chaos_service_pb2.StopChaosRequest(all=True)
        assert await not_stored(stubs.chaos.StopChaos(stop))
        await stubs.until(lambda s: not s.active_faults)
        assert await not_stored(stubs.simulation.Reset(pb.ResetRequest()))
        while (await stream.read()).snapshot.cursor.run_id == first.cursor.run_id:
            pass
        assert app.only.ticker.failed == 0
        filler.unlink()
        await wait_for(lambda: not app.store.failing)
        assert (await stubs.inject(**wanted)).experiment_id != fault.experiment_id
        stream.cancel()


async def not_stored(call: Any) -> bool:
    """Whether a call ends because its change could not be stored."""
    (outcome,) = await asyncio.gather(call, return_exceptions=True)
    if not isinstance(outcome, grpc.aio.AioRpcError):
        return False
    assert reason(outcome)[0] == "STORE_UNAVAILABLE"
    return True


def test_a_server_that_is_started_on_a_full_disk_says_so(small_disk: Path) -> None:
    fill(small_disk / "filler")
    with pytest.raises((ValueError, StoreError), match=r"full|space"):
        open_store(locate(small_disk, None))
