"""The Python client of SRE Edge.

>>> from sre_edge import Client
>>> with Client("127.0.0.1:50051") as client:  # doctest: +SKIP
...     client.inject("database", "service_kill", duration_s=60)

`AsyncClient` is the same for asyncio, and `sre_edge.testing` has a server for your own tests.
"""

from sre_edge.aio import AsyncClient, AsyncSubscription
from sre_edge.calls.chaos import fault_kind, fault_kinds
from sre_edge.client import Client, Subscription
from sre_edge.connection import Connection
from sre_edge.errors import (
    Failed,
    InvalidRequest,
    NotFound,
    NotNow,
    Refused,
    SreEdgeError,
    TooOld,
    Unauthenticated,
    Unavailable,
    Violation,
)
from sre_edge.freshness import Stale
from sre_edge.watch import Connected, Disconnected, Event

__all__ = [
    "AsyncClient",
    "AsyncSubscription",
    "Client",
    "Connected",
    "Connection",
    "Disconnected",
    "Event",
    "Failed",
    "InvalidRequest",
    "NotFound",
    "NotNow",
    "Refused",
    "SreEdgeError",
    "Stale",
    "Subscription",
    "TooOld",
    "Unauthenticated",
    "Unavailable",
    "Violation",
    "fault_kind",
    "fault_kinds",
]
