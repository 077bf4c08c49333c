"""The single thread that writes to the database."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from server.store.location import StoreError

MAX_QUEUED = 1000
MAX_TOGETHER = 100
"""Maximum number of writes in one transaction."""
ANSWER_TIMEOUT_S = 10.0
"""Timeout for the database, so that calls do not pile up."""
CHANGE_TIMEOUT_S = 5.0
"""Timeout for a change that is acknowledged; shorter than clients wait, so that they are told."""
_QUEUE_FULL = "too many writes wait for the database"
_log = logging.getLogger(__name__)

Result = TypeVar("Result")
Work = Callable[[Connection], Any]


class UndecidedError(StoreError):
    """A write that was being committed when the wait for it ended: it may be stored or not."""


class _GivenUpError(Exception):
    """Somebody gave up a write before it was committed."""


@dataclass(eq=False, slots=True)
class _Write:
    """Work that waits for its turn; `changes` is False if it only reads, after earlier writes."""

    work: Work
    changes: bool = True
    future: Future[Any] = field(default_factory=Future)

    def claim(self) -> bool:
        """Decide that it is committed; False if whoever asked has given up before."""
        return self.future.running() or self.future.set_running_or_notify_cancel()


class Writer:
    """A queue of writes, and the thread that executes them.

    Writes that wait at the same time are committed together, so that a burst of them waits for the
    disk once. If that fails, each is tried alone: one that is not possible costs no other.

    Parameters
    ----------
    transaction
        Executes work in a transaction, which is on the disk when it returns.
    max_queued
        Maximum length of the queue.

    Attributes
    ----------
    lost
        Number of offered writes that were lost.
    failing
        Whether the latest write failed because of the database.
    """

    def __init__(self, transaction: Callable[[Work], Any], max_queued: int = MAX_QUEUED) -> None:
        self._transaction = transaction
        self._queue: queue.Queue[_Write | None] = queue.Queue(max_queued)
        self._lock = threading.Lock()
        self._closed = False
        self._in_hand: list[_Write] = []
        self.lost, self.failing = 0, False
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)
        self._thread.start()

    def write(
        self, work: Callable[[Connection], Result], *, changes: bool = True
    ) -> Future[Result]:
        """Queue a write; waits while the queue is full, up to the timeout.

        `changes` is False for work that only reads.
        """
        return self._put(_Write(work, changes), ANSWER_TIMEOUT_S)

    def submit(
        self, work: Callable[[Connection], Result], *, counted: bool = False
    ) -> Future[Result]:
        """Queue a write, or fail at once if the queue is full; never waits.

        A failure is logged and counted as lost if `counted` says so.
        """
        future = self._put(_Write(work), None)
        if counted:
            future.add_done_callback(self._count_lost)
        return future

    def ask(self, work: Callable[[Connection], Result], *, changes: bool = True) -> Result:
        """Queue a write and wait for its result, as `confirm`."""
        return confirm(self.write(work, changes=changes), ANSWER_TIMEOUT_S)

    def offer(self, work: Work) -> bool:
        """Queue a write, or count it as lost if the queue is full."""
        future = self.submit(work, counted=True)
        return not future.done() or future.exception() is None

    def close(self) -> None:
        """Execute the waiting writes, and end the thread; stops at the timeout."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        with suppress(queue.Full):
            self._queue.put(None, timeout=ANSWER_TIMEOUT_S)
        self._thread.join(ANSWER_TIMEOUT_S)
        if self._thread.is_alive():
            waiting = [*self._in_hand, *self._waiting(self._queue.qsize())]
            lost = sum(not write.future.done() for write in waiting)
            self.lost += lost
            _log.error("the database does not respond: %d records are lost", lost)

    def _put(self, write: _Write, timeout_s: float | None) -> Future[Any]:
        try:
            if self._closed:
                write.future.set_exception(StoreError("the store is closed"))
            else:
                self._queue.put(write, timeout_s is not None, timeout_s)
        except queue.Full:
            write.future.set_exception(StoreError(_QUEUE_FULL))
        return write.future

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            self._in_hand = [first, *self._waiting(MAX_TOGETHER - 1)]
            self._execute([write for write in self._in_hand if not write.future.cancelled()])

    def _waiting(self, count: int) -> Iterator[_Write]:
        """Take what waits already, at most so many."""
        with suppress(queue.Empty):
            for _ in range(count):
                write = self._queue.get_nowait()
                if write is None:
                    self._queue.put_nowait(None)  # the end; there is room for it again
                    return
                yield write

    def _execute(self, writes: Sequence[_Write]) -> None:
        """Execute writes in one transaction or, if that fails, each in one of its own."""
        if not writes:
            return

        def together(connection: Connection) -> list[Any]:
            results = [write.work(connection) for write in writes]
            # From here on nobody can give up: what is told then is what is stored.
            if not all(write.claim() for write in writes):
                raise _GivenUpError
            return results

        try:
            results = self._transaction(together)
        except _GivenUpError:
            self._execute([write for write in writes if not write.future.cancelled()])
        except Exception as error:
            if len(writes) > 1:
                for write in writes:
                    self._execute([write])
            else:
                self._fail(writes[0], error)
        else:
            if any(write.changes for write in writes):
                self._note(failing=False)
            for write, result in zip(writes, results, strict=True):
                write.future.set_result(result)

    def _fail(self, write: _Write, error: Exception) -> None:
        if isinstance(error, StoreError):
            self._note(failing=True)
        if write.claim():
            write.future.set_exception(error)

    def _note(self, *, failing: bool) -> None:
        if failing is not self.failing:
            self.failing = failing
            level, text = (
                (logging.ERROR, "the database cannot be written; this is tried again")
                if failing
                else (logging.INFO, "the database can be written again")
            )
            _log.log(level, text)

    def _count_lost(self, future: Future[Any]) -> None:
        if (error := future.exception()) is not None:
            self.lost += 1
            _log.error("a record is lost: %s", error)


def confirm(writing: Future[Result], timeout_s: float) -> Result:
    """Wait for a write; it is given up if it takes too long.

    Raises
    ------
    UndecidedError
        If it takes too long, and is being committed.
    StoreError
        If it failed, or was given up: it is not stored then.
    """
    late = f"no answer within {timeout_s:g} s"
    try:
        return writing.result(timeout_s)
    except TimeoutError as error:
        if writing.cancel():
            raise StoreError(late) from error
    except CancelledError as error:
        raise StoreError(late) from error
    try:
        return writing.result(timeout_s)
    except TimeoutError as error:
        raise UndecidedError(f"{late}, while it was being stored") from error
