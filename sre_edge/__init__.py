"""The Python client of SRE Edge.

>>> from sre_edge import Client
>>> with Client("127.0.0.1:50051") as client:  # doctest: +SKIP
...     client.inject("database", "service_kill", duration_s=60)
"""

from sre_edge.client import Client, fault_kind, fault_kinds
from sre_edge.connection import Connection
from sre_edge.errors import (
    Failed,
    InvalidRequest,
    NotFound,
    NotNow,
    Refused,
    SreEdgeError,
    Unauthenticated,
    Unavailable,
    Violation,
)
from sre_edge.watch import Connected, Disconnected, Event

__all__ = [
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
    "Unauthenticated",
    "Unavailable",
    "Violation",
    "fault_kind",
    "fault_kinds",
]
