"""Entries: what a server knows of a system before it watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from server.ports import SourceFactory
from server.records.systems import DEFAULT_SYSTEM


class SourceKind(StrEnum):
    """Where the frames of a system come from."""

    SIMULATION = "simulation"
    RECORDING = "recording"
    PROMETHEUS = "prometheus"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """An entry of a systems file, of a call, or of the settings.

    Attributes
    ----------
    connect
        Makes the factory of its source; raises `SourceError` if that cannot be used.
    id
        Unique identifier, a DNS label.
    name
        Name for people; "": the identifier.
    kind
        Kind of its source.
    labels
        Labels for people and for rules.
    default
        Whether it is meant where no system is named.
    speed
        Seconds of its time per second.
    stated
        The entry as a document; what states the same is the same system.
    added
        Whether it was added by a call.
    """

    connect: Callable[[], SourceFactory]
    id: str = DEFAULT_SYSTEM
    name: str = ""
    kind: SourceKind = SourceKind.OTHER
    labels: Mapping[str, str] = field(default_factory=dict)
    default: bool = False
    speed: float = 1.0
    stated: Mapping[str, Any] = field(default_factory=dict)
    added: bool = False
