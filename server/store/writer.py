"""The single thread that writes to the database."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from server.store.location import StoreError

MAX_QUEUED = 1000
ANSWER_TIMEOUT_S = 10.0
"""Timeout for the database, so that calls do not pile up."""
_QUEUE_FULL = "too many writes wait for the database"
_log = logging.getLogger(__name__)

Result = TypeVar("Result")
Work = Callable[[Connection], Any]


class Writer:
    """A queue of writes, and the thread that executes them.

    Parameters
    ----------
    transaction
        Executes one write in a transaction of its own.
    max_queued
        Maximum length of the queue.
    """

    def __init__(self, transaction: Callable[[Work], Any], max_queued: int = MAX_QUEUED) -> None:
        self._transaction = transaction
        self._queue: queue.Queue[tuple[Work, Future[Any] | None] | None] = queue.Queue(max_queued)
        self._lock = threading.Lock()
        self._closed = False
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Connection], Result]) -> Future[Result]:
        """Queue a write; waits while the queue is full, up to the timeout."""
        future: Future[Result] = Future()
        try:
            if self._closed:
                future.set_exception(StoreError("the store is closed"))
            else:
                self._queue.put((work, future), timeout=ANSWER_TIMEOUT_S)
        except queue.Full:
            future.set_exception(StoreError(_QUEUE_FULL))
        return future

    def ask(self, work: Callable[[Connection], Result]) -> Result:
        """Queue a write and wait for its result; it is cancelled if it has not begun in time.

        Raises
        ------
        StoreError
            If the write failed or timed out.
        """
        future = self.write(work)
        try:
            return future.result(ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            future.cancel()
            raise StoreError(f"no answer within {ANSWER_TIMEOUT_S:g} s") from error

    def offer(self, work: Work) -> bool:
        """Queue a write, or count it as lost if the queue is full."""
        try:
            if not self._closed:
                self._queue.put_nowait((work, None))
                return True
        except queue.Full:
            pass
        self._lose(_QUEUE_FULL)
        return False

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
            self.lost += self._queue.qsize()
            _log.error("the database does not respond: %d records are lost", self._queue.qsize())

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            work, future = item
            if future is not None and not future.set_running_or_notify_cancel():
                continue  # cancelled: nobody waits for it
            try:
                result = self._transaction(work)
            except Exception as error:
                if future is None:
                    self._lose(str(error))
                else:
                    future.set_exception(error)
            else:
                if future is not None:
                    future.set_result(result)

    def _lose(self, reason: str) -> None:
        self.lost += 1
        _log.error("a record is lost: %s", reason)
