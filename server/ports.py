"""What a system needs from outside: small protocols that every kind of source adapts to.

The server gets frames from a `FrameSource` and knows nothing of what is behind it. Where faults
can be injected there is a `FaultInjector`, where the true state is known a `LabelSource`.
`tests/server/sources/contract.py` is what every adapter has to pass.
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
    """A source that cannot be had as it was asked for; the message says what to do."""


class FrameSource(Protocol):
    """Observes a system, interval by interval."""

    @property
    def graph(self) -> ServiceGraph:
        """The system as the latest frame shows it; another one if it has changed."""
        ...

    @property
    def interval_s(self) -> float:
        """Length of an interval, seconds."""
        ...

    @property
    def start_time(self) -> datetime:
        """Time at which second 0 of its frames was."""
        ...

    @property
    def time_s(self) -> float:
        """End of what was observed, seconds since `start_time`."""
        ...

    def backfill(self) -> Iterator[Frame]:
        """Give the past that is known, oldest first; asked for once, before any `next_frame`."""
        ...

    def next_frame(self) -> Frame:
        """Observe one further interval; an interval without any observation has NaN."""
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults that belong together.

    Attributes
    ----------
    name
        For people.
    seconds
        How long it takes at least.
    faults
        Their times count from its begin.
    states_load
        Whether it states a load, too, which a live system does not take.
    """

    name: str
    seconds: float
    faults: tuple[Fault, ...]
    states_load: bool = False


class FaultInjector(Protocol):
    """Injects faults into the system that is observed."""

    @property
    def kinds(self) -> frozenset[FaultKind]:
        """What it can do."""
        ...

    def read_scenario(self, document: str) -> Scenario:
        """Read a scenario document, whose faults must be possible in the system.

        Raises
        ------
        ServerError
            INVALID_FIELD; each violation's field is `document` with the path inside of it.
        """
        ...

    def inject(self, fault: Fault) -> Fault:
        """Have a fault act in its time, from the source's next interval on at the earliest.

        Returns
        -------
        The same with the target that it acts on, if it named none.

        Raises
        ------
        FaultError
            If it is not possible; nothing is changed then.
        """
        ...

    def stop(self, fault: Fault) -> None:
        """End a fault that was injected, or have it never begin."""
        ...

    def stop_all(self) -> None:
        """End all faults that were injected."""
        ...


class LabelSource(Protocol):
    """Knows what was really so: for labels, never for features."""

    @property
    def truth(self) -> Truth:
        """State during the latest frame."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """One system as it is observed in one run.

    Attributes
    ----------
    frames
        What is observed.
    faults
        Injects faults; None: this source cannot.
    labels
        Knows the truth; None: this source does not.
    seed
        Seed of the randomness behind it; 0 if there is none.
    warnings
        What is odd about the system as it was described.
    """

    frames: FrameSource
    faults: FaultInjector | None = None
    labels: LabelSource | None = None
    seed: int = 0
    warnings: tuple[str, ...] = ()


class SourceFactory(Protocol):
    """Opens the source of a system: once for each run."""

    def open(self, now: datetime) -> Source:
        """Open it at a time of the wall clock; may take seconds."""
        ...

    def altered(self, topology: str, seed: int | None) -> SourceFactory:
        """Give the factory of the same system with another topology document or seed.

        Parameters
        ----------
        topology
            YAML or JSON; "": the same topology.
        seed
            None: the same seed.

        Raises
        ------
        ServerError
            INVALID_FIELD, or NOT_SUPPORTED_BY_SOURCE.
        """
        ...
