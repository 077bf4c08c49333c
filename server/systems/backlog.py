"""What has been handed to the store, and is not stored yet."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from server.records.experiments import Experiment, ExperimentState

MAX_OWED = 1000
"""Finished experiments that are kept while the store fails; beyond that, the oldest are lost."""

_log = logging.getLogger(__name__)


class Backlog:
    """Follows writes, and knows what the store still lacks because it failed; thread-safe.

    Experiments and the kill switch are made up for: after a failure they are written once more, as
    they are then, until that succeeds.

    Parameters
    ----------
    system
        Id of the system, for the log.

    Attributes
    ----------
    problem
        Why the store is behind; None while it is not.
    """

    def __init__(self, system: str = "") -> None:
        self._system = system
        self.problem: BaseException | None = None
        self._lock = threading.Lock()
        self._under_way: list[Future[Any]] = []
        self._making_up: Future[Any] | None = None
        self._owed: dict[str, Experiment] = {}
        self._failures = 0

    @property
    def under_way(self) -> tuple[Future[Any], ...]:
        """Writes that have not ended, oldest first."""
        with self._lock:
            return tuple(self._under_way)

    def owed(self, unfinished: Callable[[], Iterable[Experiment]]) -> list[Experiment] | None:
        """List experiments to write once more; None if nothing is missing, or that is under way.

        `unfinished` gives the unfinished ones as they are now.
        """
        with self._lock:
            if self.problem is None or self._making_up is not None:
                return None
            return [*self._owed.values(), *unfinished()]

    def follow(
        self, writing: Future[Any], experiments: Iterable[Experiment], *, makes_up: bool
    ) -> None:
        """Follow a write of experiments; `makes_up` says whether all that is owed is in it."""
        written = tuple(experiments)
        with self._lock:
            self._under_way.append(writing)
            if makes_up:
                self._making_up = writing
            failures = self._failures
        writing.add_done_callback(lambda done: self._end(done, written, failures))

    def _end(self, writing: Future[Any], written: tuple[Experiment, ...], failures: int) -> None:
        problem = writing.exception()
        with self._lock:
            self._under_way.remove(writing)
            makes_up = writing is self._making_up
            if makes_up:
                self._making_up = None
            if problem is not None:
                self.problem = problem
                self._failures += 1
                for one in written:
                    if one.state is ExperimentState.FINISHED:
                        self._owed[one.id] = one
                while len(self._owed) > MAX_OWED:
                    del self._owed[next(iter(self._owed))]
            elif makes_up:
                for one in written:
                    self._owed.pop(one.id, None)
                if self._failures == failures:
                    self.problem = None
                    _log.info("what system %s owed to the store is stored", self._system)
