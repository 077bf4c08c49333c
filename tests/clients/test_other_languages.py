"""The clients in Go, TypeScript and Java, built here and run against real servers."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from sre_edge import Client as Python
from sre_edge.testing import FakeServer
from sre_edge.v1 import heartbeat_pb2, system_pb2
from tests import partly_observed, processes
from tests.certificates import Authority
from tests.clients import programs
from tests.clients.contract import ORDERS, PARTLY_OBSERVED, check
from tests.fault_proxy import fault_proxy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # a first build fetches its libraries


@pytest.fixture(scope="module", params=list(programs.TOOLCHAINS))
def client(request: pytest.FixtureRequest, run_folder: Path) -> programs.Client:
    return programs.build(request.param, run_folder)


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with processes.server() as address:
        yield address


def test_it_keeps_the_contract(client: programs.Client) -> None:
    with processes.server() as fresh:
        orders = "".join(json.dumps(order) + "\n" for order in ORDERS)
        done = client.run("--target", fresh, "call", stdin=orders)
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(outcomes) == len(ORDERS)
    for order, outcome in zip(ORDERS, outcomes, strict=True):
        check(order, outcome)


def test_what_is_not_observed_is_missing_and_what_is_old_says_so(
    client: programs.Client, tmp_path: Path
) -> None:
    with partly_observed.server(tmp_path) as app:
        orders = "".join(json.dumps(order) + "\n" for order in PARTLY_OBSERVED)
        done = client.run("--target", app.address, "call", stdin=orders)
        shown = client.run("--target", app.address, "metrics")
        some = client.run("--target", app.address, "metrics", "store", "mail")
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(outcomes) == len(PARTLY_OBSERVED), done.stderr
    for order, outcome in zip(PARTLY_OBSERVED, outcomes, strict=True):
        check(order, outcome)
    written = (
        "edge healthy cpu_percent 30.0 latency_p95_ms 40.0 error_rate_percent 0.0 "
        "availability_percent 100.0",
        "cart healthy cpu_percent 30.0 latency_p95_ms - error_rate_percent - "
        "availability_percent 100.0",
        "store unknown cpu_percent - latency_p95_ms - error_rate_percent - availability_percent -",
        "mail healthy cpu_percent 30.0 latency_p95_ms 40.0 error_rate_percent 0.0 "
        "availability_percent 100.0 requests_age_seconds 4",
        "till unknown cpu_percent 30.0 latency_p95_ms 40.0 error_rate_percent 0.0 "
        "availability_percent 100.0 requests_age_seconds 12 resources_age_seconds 12",
    )
    assert shown.stdout.splitlines() == list(written), shown.stderr
    assert some.stdout.splitlines() == [written[2], written[3]], some.stderr


def test_it_watches_predicts_and_injects(client: programs.Client, target: str) -> None:
    watched = client.run("--target", target, "--count", "3", "watch", "database")
    lines = [line.split() for line in watched.stdout.splitlines()]
    assert [line[0] for line in lines] == ["snapshot"] * 3, watched.stderr
    assert int(lines[2][2]) == int(lines[0][2]) + 2
    predicted = client.run("--target", target, "predict", "api-gateway", "database").stdout.split()
    assert predicted[::3][:3] == ["api-gateway", "database", "system"]
    assert all(0.0 <= float(value) <= 1.0 for value in predicted[1::3])
    injected = client.run("--target", target, "inject", "database", "cpu_spike", "30s")
    assert "cpu_spike on database" in injected.stdout, injected.stderr
    with Python(target) as python:
        assert python.stop(injected.stdout.split()[0])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("inject", "databse", "cpu_spike", "30s"), 2, "UNKNOWN_SERVICE: no service is named"),
        (("inject", "database", "cpu_spike", "0s"), 2, "  duration: expected more than 0 s"),
        (("inject", "database", "cpu", "30s"), 2, "cpu"),
        (("inject", "database", "cpu_spike", "soon"), 2, "such as"),
        (("watch", "databse"), 2, "known: api-gateway"),
        (("metrics", "databse"), 2, "known: api-gateway"),
        (("predict", "databse"), 2, "known: api-gateway"),
        (("--system", "shop", "watch"), 2, "known: default"),
        (("--system", "shop", "predict"), 2, "known: default"),
        (("--system", "shop", "inject", "database", "cpu_spike", "30s"), 2, "known: default"),
        (("nonsense",), 2, ""),
        (("--target", "127.0.0.1:1", "predict"), 3, "no SRE Edge server answers at 127.0.0.1:1"),
        (("--target", "127.0.0.1:1", "watch"), 3, "no SRE Edge server answers at 127.0.0.1:1"),
    ],
)
def test_bad_input_is_said_with_its_exit_code(
    client: programs.Client, target: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = client.run(*arguments, SRE_EDGE_TARGET=target)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""


def test_an_old_server_and_a_refused_token_differ(client: programs.Client, tmp_path: Path) -> None:
    old = grpc.server(futures.ThreadPoolExecutor(1))
    port = old.add_insecure_port("127.0.0.1:0")
    old.start()
    done = client.run("--target", f"127.0.0.1:{port}", "predict")
    old.stop(None)
    assert (done.returncode, "is older than this client" in done.stderr) == (5, True), done.stderr

    authority = Authority(tmp_path)
    certificate, key = authority.issue("edge")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("correct-horse-battery\n")
    wrong.write_text("battery-horse-correct\n")
    tls = {"SRE_EDGE_TLS_CERT": str(certificate), "SRE_EDGE_TLS_KEY": str(key)}
    program = processes.Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        SRE_EDGE_TOKEN_FILE=str(right), **tls,
    )  # fmt: skip
    try:
        found = program.expect(r"grpcs://(\S+)")[1]
        known = {"SRE_EDGE_TARGET": found, "SRE_EDGE_CA": str(authority.certificate)}
        done = client.run("--count", "1", "watch", SRE_EDGE_TOKEN_FILE=str(right), **known)
        assert done.stdout.startswith("snapshot"), done.stderr
        for variables in ({"SRE_EDGE_TOKEN_FILE": str(wrong)}, {}):
            done = client.run("watch", **known, **variables)
            assert (done.returncode, "refuses the token" in done.stderr) == (4, True), done.stderr
        done = client.run("predict", SRE_EDGE_TARGET=found)
        assert (done.returncode, "no SRE Edge server" in done.stderr) == (3, True), done.stderr
    finally:
        program.stop()
    done = client.run("predict", SRE_EDGE_TARGET="192.0.2.1:1", SRE_EDGE_TOKEN_FILE=str(right))
    assert (done.returncode, "in plain text" in done.stderr) == (2, True), done.stderr


def without_holes(program: processes.Program) -> bool:
    taken = [line.split() for line in program.lines if line.startswith("snapshot")]
    numbers = [int(line[2]) for line in taken]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_lost_connection_costs_no_snapshot(client: programs.Client, target: str) -> None:
    def snapshots_after(losses: int) -> Callable[[], bool]:
        def seen() -> bool:
            lost = [i for i, line in enumerate(program.lines) if "trying again" in line]
            return len(lost) >= losses and len(program.lines) > (lost or [0])[-1] + 5

        return seen

    async with fault_proxy(target) as proxy:
        program = client.start("--target", proxy.address, "watch")
        try:
            for lost in range(1, 4):
                await asyncio.to_thread(program.until, snapshots_after(lost - 1))
                proxy.break_all()
            await asyncio.to_thread(program.until, snapshots_after(3))
        finally:
            program.stop()
    assert without_holes(program)
    assert sum("trying again" in line for line in program.lines) >= 3
    assert proxy.connections >= 4


def test_a_restarted_server_is_found_again_and_the_loss_is_told(client: programs.Client) -> None:
    address = f"127.0.0.1:{processes.free_port()}"
    with processes.server(listen=address):
        program = client.start("--target", address, "watch")
        first = program.expect(r"snapshot (\S+)")[1]
    try:
        with processes.server(listen=address):
            assert program.expect(r"gap run_ended (\S+)")[1] == first
            second = program.expect(rf"snapshot (?!{first})(\S+)")[1]
            assert second != first
    finally:
        program.stop()


def test_a_frozen_server_is_noticed_and_so_is_its_return(client: programs.Client) -> None:
    with processes.server_program() as (address, server):
        program = client.start("--target", address, "watch")
        try:
            program.expect("snapshot")
            with processes.frozen(server):
                program.expect(rf"^stale: no sign of life from {address} for \d+ s$")
                said = len(program.lines)
            program.expect("up to date again")
            program.until(lambda: any("snapshot" in line for line in program.lines[said:]))
        finally:
            program.stop()


async def test_of_a_path_that_passes_nothing_on_another_one_is_found(
    client: programs.Client, target: str
) -> None:
    async with fault_proxy(target) as proxy:
        program = client.start("--target", proxy.address, "watch")
        try:
            await asyncio.to_thread(program.expect, "snapshot")
            proxy.stall_open()
            await asyncio.to_thread(program.expect, "stale: no sign of life")
            await asyncio.to_thread(program.expect, "up to date again")
            again = len(program.lines)
            await asyncio.to_thread(program.until, lambda: len(program.lines) > again + 5)
        finally:
            program.stop()
    assert without_holes(program)
    assert proxy.connections >= 2


def test_a_system_without_new_data_is_said_to_be_stale(client: programs.Client) -> None:
    stale = heartbeat_pb2.Heartbeat(state=system_pb2.SYSTEM_STATE_STALE, problem="nobody answers")
    stale.frame_age.FromSeconds(12)
    with FakeServer() as fake:
        fake.heartbeat = stale
        program = client.start("--target", fake.target, "watch")
        try:
            program.expect("^stale: no new data for 12 s: nobody answers$")
            fake.heartbeat = heartbeat_pb2.Heartbeat(state=system_pb2.SYSTEM_STATE_LIVE)
            program.expect("^up to date again$")
        finally:
            program.stop()
    assert sum("stale" in line for line in program.lines) == 1


def test_ctrl_c_ends_at_once_and_leaves_no_stream(client: programs.Client, target: str) -> None:
    def streams() -> float:
        with Python(target) as python:
            return python.info().figures.streams

    program = client.start("--target", target, "watch")
    program.expect("snapshot")
    assert streams() == 1
    assert program.stop(signal.SIGINT) == 0
    while streams():  # until the test times out
        time.sleep(0.05)
