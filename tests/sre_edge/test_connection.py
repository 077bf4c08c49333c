"""Clients that have to show who they are, and want to know who the server is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sre_edge import AsyncClient, Client, Connection, SreEdgeError, Unauthenticated, Unavailable
from tests import processes
from tests.certificates import Authority


@dataclass(frozen=True)
class Guarded:
    """A server with mutual TLS and a token, and what its clients need."""

    connection: Connection
    variables: dict[str, str]
    healthz: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    directory = tmp_path_factory.mktemp("guarded")
    authority = Authority(directory)
    cert, key = authority.issue("edge")
    own, own_key = authority.issue("client")
    token_file = directory / "token"
    token_file.write_text("correct-horse-battery")
    program = processes.Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        SRE_EDGE_TLS_CERT=str(cert), SRE_EDGE_TLS_KEY=str(key), SRE_EDGE_DATA=str(directory),
        SRE_EDGE_CLIENT_CA=str(authority.certificate), SRE_EDGE_TOKEN_FILE=str(token_file),
    )  # fmt: skip
    try:
        found = program.expect(r"grpcs?://(\S+) .*(https?://[^/]+)/")
        connection = Connection(
            found[1], str(authority.certificate), str(token_file), str(own), str(own_key)
        )
        variables = {
            "SRE_EDGE_TARGET": found[1], "SRE_EDGE_CA": str(authority.certificate),
            "SRE_EDGE_TOKEN_FILE": str(token_file), "SRE_EDGE_CERT": str(own),
            "SRE_EDGE_KEY": str(own_key),
        }  # fmt: skip
        yield Guarded(connection, variables, f"{found[2]}/healthz")
    finally:
        program.stop()


def test_it_gets_in_with_certificate_and_token(guarded: Guarded) -> None:
    with Client(guarded.connection) as client:
        assert len(client.metrics().services) == 4
        assert next(iter(client.watch()))


async def test_so_does_the_client_for_asyncio(guarded: Guarded, tmp_path: Path) -> None:
    async with AsyncClient(guarded.connection) as client:
        assert len((await client.metrics()).services) == 4
        assert await anext(client.watch())
    wrong = tmp_path / "token"
    wrong.write_text("battery-horse-correct")
    for connection, kind in (
        (replace(guarded.connection, token_file=str(wrong)), Unauthenticated),
        (Connection(guarded.connection.target, ca="system"), Unavailable),
    ):
        async with AsyncClient(connection) as refused:
            with pytest.raises(kind):
                await refused.topology()
            with pytest.raises(kind):
                await anext(refused.watch(reconnect=False))


def test_what_is_missing_is_told(guarded: Guarded, tmp_path: Path) -> None:
    wrong = tmp_path / "token"
    wrong.write_text("battery-horse-correct")
    for connection, kind, text in (
        (replace(guarded.connection, token_file=None), Unauthenticated, "authorization: Bearer"),
        (replace(guarded.connection, token_file=str(wrong)), Unauthenticated, "authorization"),
        (replace(guarded.connection, certificate=None, key=None), Unavailable, "no SRE Edge"),
        (Connection(guarded.connection.target, ca="system"), Unavailable, "TLS configuration"),
    ):
        with Client(connection, timeout_s=5.0) as client, pytest.raises(kind, match=text):
            client.metrics()


def test_files_that_are_not_there_and_tokens_in_plain_text_are_refused(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("correct-horse-battery")
    for connection, text in (
        (Connection(token_file="/nowhere"), "/nowhere: cannot be read"),
        (Connection(ca="/nowhere"), "/nowhere: cannot be read"),
        (Connection("edge.example:50051", token_file=str(token_file)), "plain text"),
        (Connection(certificate="c", key="k"), "needs TLS"),
    ):
        with pytest.raises(SreEdgeError, match=text) as caught:
            Client(connection)
        assert "correct-horse" not in str(caught.value)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
        env={**processes.QUIET, **variables},
    )  # fmt: skip


def test_the_command_line_takes_variables_and_options(guarded: Guarded) -> None:
    command = ("-c", "from sre_edge.cli import main; main()", "topology")
    assert "api-gateway" in run(*command, **guarded.variables).stdout
    c = guarded.connection
    options = ("--target", c.target, "--ca", c.ca, "--token-file", c.token_file,
               "--cert", c.certificate, "--key", c.key)  # fmt: skip
    assert "api-gateway" in run(*command, *map(str, options)).stdout
    without = run(*command, *map(str, options[:4]), "--cert", *map(str, options[7:]))
    assert without.returncode == 4
    assert "authorization: Bearer" in without.stderr
    nowhere = run(*command, "--ca", "/nowhere")
    assert nowhere.returncode == 2
    assert "Traceback" not in nowhere.stderr


def test_the_dashboard_connects(guarded: Guarded) -> None:
    variables = {k: v for k, v in guarded.variables.items() if k != "SRE_EDGE_TARGET"}

    with (
        processes.dashboard(guarded.connection.target, **variables),
        Client(guarded.connection) as client,
    ):
        while client.info().figures.streams == 0:  # until the test times out
            time.sleep(0.2)


def test_the_health_check_of_the_image_works_with_and_without_tls(guarded: Guarded) -> None:
    listen = guarded.healthz.removeprefix("https://").removesuffix("/healthz")
    check = ("-m", "server.healthcheck")
    tls = {"SRE_EDGE_METRICS_LISTEN": listen, "SRE_EDGE_TLS_CERT": "any"}
    assert run(*check, **tls).returncode == 0
    assert run(*check, SRE_EDGE_METRICS_LISTEN=listen).returncode == 1
    assert run(*check, SRE_EDGE_METRICS_LISTEN="127.0.0.1:1").returncode == 1
