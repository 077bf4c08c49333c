"""Ports of a system: small protocols that every kind of source implements.

The server gets frames from a `FrameSource` and knows nothing about its implementation. Where faults
can be injected there is a `FaultInjector`, where the true state is known a `LabelSource`. Every
adapter has to pass the tests in `tests/server/sources/contract.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from telemetry.faults import Fault, FaultKind
from telemetry.frame import Frame, Truth
from telemetry.graph import ServiceGraph


class SourceError(ValueError):
    """A source that cannot be opened; the message says what to do."""


class SourceEndedError(SourceError):
    """A source that has no further frame, such as a recording that was played to its end."""


class FrameSource(Protocol):
    """Observes a system, interval by interval."""

    @property
    def graph(self) -> ServiceGraph:
        """The system as the latest frame shows it: another object if it has changed.

        It has at least one service.
        """
        ...

    @property
    def interval_s(self) -> float:
        """Length of an interval, seconds."""
        ...

    @property
    def start_time(self) -> datetime:
        """Time of second 0 of its frames."""
        ...

    @property
    def time_s(self) -> float:
        """End of what was observed, seconds since `start_time`."""
        ...

    def backfill(self) -> Iterator[Frame]:
        """Yield the known past, oldest first; called once, before any `next_frame`."""
        ...

    def next_frame(self) -> Frame:
        """Observe one further interval; an interval without any observation has NaN.

        Raises
        ------
        SourceEndedError
            If none follows.
        """
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults that are injected together.

    Attributes
    ----------
    name
        Name for people.
    seconds
        Minimum length, seconds.
    faults
        Faults; their times count from the start of the scenario.
    states_load
        Whether it also states a load, which a live system does not support.
    """

    name: str
    seconds: float
    faults: tuple[Fault, ...]
    states_load: bool = False


class FaultInjector(Protocol):
    """Injects faults into the system that is observed."""

    @property
    def kinds(self) -> frozenset[FaultKind]:
        """Kinds of faults that it supports."""
        ...

    def read_scenario(self, document: str) -> Scenario:
        """Read a scenario document, and check that its faults are possible in the system.

        Raises
        ------
        ServerError
            INVALID_FIELD; each violation's field is `document` with the path inside of it.
        """
        ...

    def resolve(self, fault: Fault) -> Fault:
        """Check a fault, and choose its target if it names none; nothing is changed.

        Returns
        -------
        The fault as it can be injected.

        Raises
        ------
        FaultError
            If the fault is not possible.
        """
        ...

    def inject(self, fault: Fault) -> Fault:
        """Schedule a fault; it is active from the next interval on at the earliest.

        Returns
        -------
        The fault as `resolve` returns it.

        Raises
        ------
        FaultError
            If the fault is not possible; nothing is changed then.
        """
        ...

    def stop(self, fault: Fault) -> None:
        """Stop a fault that was injected, whether it is active or scheduled."""
        ...

    def stop_all(self) -> None:
        """Stop all faults that were injected."""
        ...


class LabelSource(Protocol):
    """Knows the true state: for labels, never for features."""

    @property
    def truth(self) -> Truth:
        """State during the latest frame."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """The source of one run.

    Attributes
    ----------
    frames
        Source of frames.
    faults
        Fault injector; None: not supported.
    labels
        Source of labels; None: not supported.
    seed
        Random seed; 0 if there is none.
    warnings
        Warnings about the description of the system.
    has_clock
        Whether its time can be paused, and pass at another speed.
    has_reset
        Whether another run can begin, from the start.
    has_seek
        Whether another run can begin at another time.
    """

    frames: FrameSource
    faults: FaultInjector | None = None
    labels: LabelSource | None = None
    seed: int = 0
    warnings: tuple[str, ...] = ()
    has_clock: bool = True
    has_reset: bool = True
    has_seek: bool = False


class SourceFactory(Protocol):
    """Opens the source of a system: once for each run."""

    def open(self, now: datetime) -> Source:
        """Open the source; may take seconds. `now` is the wall clock."""
        ...

    def altered(self, topology: str, seed: int | None) -> SourceFactory:
        """Make a factory of the same system with another topology or seed.

        Parameters
        ----------
        topology
            YAML or JSON, or a name that the source knows; "": the same topology.
        seed
            None: the same seed.

        Raises
        ------
        ServerError
            INVALID_FIELD, or NOT_SUPPORTED_BY_SOURCE.
        """
        ...

    def sought(self, time: datetime) -> SourceFactory:
        """Make a factory of the same system whose runs begin at another time.

        Raises
        ------
        ServerError
            INVALID_FIELD, or NOT_SUPPORTED_BY_SOURCE.
        """
        ...
