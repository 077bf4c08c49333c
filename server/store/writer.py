"""The one thread that writes."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from server.store.place import StoreError

WAITING = 1000
_log = logging.getLogger(__name__)

Result = TypeVar("Result")
Work = Callable[[Connection], Any]


class Writer:
    """A queue of writes and the thread that does them.

    Parameters
    ----------
    transaction
        Runs one in a transaction of its own.
    waiting
        Writes that may wait.
    """

    def __init__(self, transaction: Callable[[Work], Any], waiting: int = WAITING) -> None:
        self._transaction = transaction
        self._queue: queue.Queue[tuple[Work, Future[Any] | None] | None] = queue.Queue(waiting)
        self._lock = threading.Lock()
        self._closed = False
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Connection], Result]) -> Future[Result]:
        """Queue a write; waits while the queue is full."""
        future: Future[Result] = Future()
        if self._closed:
            future.set_exception(StoreError("the store is closed"))
        else:
            self._queue.put((work, future))
        return future

    def offer(self, work: Work) -> bool:
        """Queue a write, or count it as lost if the queue is full."""
        try:
            if not self._closed:
                self._queue.put_nowait((work, None))
                return True
        except queue.Full:
            pass
        self._lose("too many writes wait for the disk")
        return False

    def close(self) -> None:
        """Do what waits, and end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            work, future = item
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
