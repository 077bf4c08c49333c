"""A link opens the same thing again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboard.address import Address, parse

AT = datetime(2026, 11, 25, 14, 58, 30, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "address",
    [
        Address(),
        Address(service="database", range="1h", unhealthy=True, find="auth", layout="circle"),
        Address(view="service", service="api-gateway", at=AT),
        Address(view="chaos", compare=("x-1", "x-2")),
        Address(view="incidents", kind="alarm", of="database"),
        Address(view="predictions", sort="service", model="2-abc"),
        Address(group="service, level 3"),
    ],
)
def test_an_address_is_read_as_it_was_written(address: Address) -> None:
    assert parse(address.link()) == address


@pytest.mark.parametrize(
    "href",
    [
        "", "/nowhere", "/?range=9y&layout=spiral&only=green", "/?at=yesterday", "/?at=0001-01-01",
        "/?at=9999-12-31T23:59:59", "?%00=%ff&service=", "/?" + "a" * 5000,
    ],
)  # fmt: skip
def test_nonsense_is_left_out(href: str) -> None:
    assert parse(href) == Address()
