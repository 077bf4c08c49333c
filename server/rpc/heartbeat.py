"""Heartbeats: what a stream sends when nothing happens, so that silence means something."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from server.rpc import times
from server.systems.ticker import Ticker
from sre_edge.v1 import heartbeat_pb2, system_pb2

HEARTBEAT_S = 2.0
"""How long a stream may have nothing to send before it sends a heartbeat, seconds."""
CHECK_S = 1.0
"""Time between two looks at which streams are idle, seconds."""


class Beating(Protocol):
    """All streams of a kind; used from the event loop."""

    def beat(self, heartbeat: heartbeat_pb2.Heartbeat) -> None:
        """Send it to the streams that are idle."""
        ...


class Idleness:
    """How long a stream has had nothing to send."""

    def __init__(self) -> None:
        self._sent_s = time.monotonic()

    def sent(self) -> None:
        """Begin anew: something is sent."""
        self._sent_s = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether a heartbeat is due."""
        return time.monotonic() - self._sent_s >= HEARTBEAT_S


def state(ticker: Ticker) -> tuple[system_pb2.SystemState.ValueType, str]:
    """Get the state of a system that is watched, and why it is not live."""
    if ticker.ended:
        return system_pb2.SYSTEM_STATE_ENDED, ticker.problem
    if ticker.stale:
        return system_pb2.SYSTEM_STATE_STALE, ticker.problem
    return system_pb2.SYSTEM_STATE_LIVE, ""


async def beat(ticker: Ticker, *kinds: Beating) -> None:
    """Send heartbeats of a system until cancelled: one message for all of its idle streams."""
    while True:
        await asyncio.sleep(CHECK_S)
        now, problem = state(ticker)
        age = times.duration(ticker.frame_age_s)
        message = heartbeat_pb2.Heartbeat(state=now, frame_age=age, problem=problem)
        for kind in kinds:
            kind.beat(message)
