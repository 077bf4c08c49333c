"""Reads a stream in a thread of its own, so that who waits for a message can do something else."""

from __future__ import annotations

import queue
import threading
from typing import Any, Protocol

ENDING_S = 5.0
"""How long to wait at most for the thread, which ends as soon as its call is cancelled, seconds."""


class Call(Protocol):
    """A stream of gRPC."""

    def __next__(self) -> Any:
        """Wait for the next message."""
        ...

    def cancel(self) -> Any:
        """End it."""
        ...


class Reading:
    """A stream that is read one message at a time: nothing is read before it is wanted.

    Parameters
    ----------
    call
        The stream.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._asked = False
        # A program that ends must not wait for a server that does not answer.
        self._thread = threading.Thread(target=self._read, name="stream", daemon=True)
        self._thread.start()

    def take(self, seconds: float) -> Any:
        """Wait for the next message.

        Raises
        ------
        TimeoutError
            If it does not come in so many seconds; the next call goes on waiting for it.
        StopIteration, grpc.RpcError
            At the end of the stream.
        """
        if not self._asked:
            self._asked = True
            self._wanted.put(True)
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        self._asked = False
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def cancel(self) -> None:
        """End the stream, and the thread."""
        self._call.cancel()
        self._wanted.put(False)
        # An interpreter that ends stops a thread anywhere, also where it holds a lock of gRPC.
        if threading.current_thread() is not self._thread:
            self._thread.join(ENDING_S)

    def _read(self) -> None:
        while self._wanted.get():
            try:
                self._answers.put(next(self._call))
            except BaseException as error:
                self._answers.put(error)
                return
