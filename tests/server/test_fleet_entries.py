"""Entries and systems files that cannot be used are refused, with the place."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from server.sources.entries import read_file
from sre_edge.v1 import (
    system_service_pb2,
)
from telemetry.document import DocumentError
from tests.server.stubs import Stubs, violations
from tests.server.systems import TWO, listed, systems_file


@pytest.mark.parametrize(
    ("entry", "field", "expected"),
    [
        ("", "entry", "an entry"),
        ("[", "entry", "YAML or JSON"),
        ("id: a", "entry.source", "a source of the kind"),
        ("id: A_b\nsource: {kind: simulation}", "entry.id", "a DNS label"),
        ("id: a\nsource: {kind: magic}", "entry.source.kind", "a source of the kind"),
        ("id: a\nsource: {kind: simulation, topology: /etc/passwd}", "entry.source.topology",
         "a shipped topology"),
        ("id: a\nsource: {kind: simulation, sped: 2}", "entry.source.sped", "did you mean 'speed'"),
        ("id: a\nsource: {kind: simulation, speed: .nan}", "entry.source.speed", "a number"),
        ("id: a\nlabels: {1: x}\nsource: {kind: simulation}", "entry.labels", "text as a key"),
        ("id: a\n2020-01-01: ~\nsource: {kind: simulation}", "entry", "text as a key"),
        ("id: !!timestamp x\nsource: {kind: simulation}", "entry", "tags"),
        ("id: a\nname: " + "x" * 129 + "\nsource: {kind: simulation}", "entry.name", "at most 128"),
        ("id: a\nlabels: {x: 1}\nsource: {kind: simulation}", "entry.labels.x", "a text"),
        ("id: a\ndefault: true\nsource: {kind: simulation}", "entry.default", "expected false"),
    ],
)  # fmt: skip
async def test_an_entry_that_cannot_be_used_is_refused_with_its_place(
    calls: Stubs, entry: str, field: str, expected: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls.system.AddSystem(system_service_pb2.AddSystemRequest(entry=entry))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = violations(caught.value)
    assert list(found) == [field]
    assert expected in found[field]
    assert list(await listed(calls)) == ["default"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("systems: []", "systems: expected a list of systems"),
        ("systems: 3", "systems: expected a list of systems"),
        ("[]", "systems: expected a list of systems"),
        ("systems: [{id: a}]", "systems[0].source: expected a source of the kind"),
        (TWO.replace("shop-us", "shop-eu"), "systems[1].id: expected a unique id"),
        (TWO.replace("source:", "default: true\n    source:"), "systems: expected at most one"),
        (TWO + "more: 1\n", "more: expected the key systems alone"),
        ("systems: [7]", "systems[0]: expected an entry"),
    ],
)
def test_a_systems_file_that_cannot_be_used_says_where(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = systems_file(tmp_path, text)
    with pytest.raises(DocumentError) as caught:
        read_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)
