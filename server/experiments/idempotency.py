"""Requests with an identifier: one that is sent again is answered as before, and not done twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from server.errors import Violation, invalid, request_id_reused

MAX_REQUEST_ID = 128
MAX_REMEMBERED_FAULTS = 10_000
"""Faults in all remembered answers; beyond that, the oldest answers are forgotten."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Answered:
    content: object
    answer: Any
    faults: int


class IdempotentRequests:
    """Remembers the answers to requests that have an identifier, because they may be retried."""

    def __init__(self) -> None:
        self._answered: OrderedDict[str, _Answered] = OrderedDict()
        self._faults = 0

    def run_once(
        self, request_id: str, content: object, faults: int, action: Callable[[], Answer]
    ) -> Answer:
        """Run an action, unless a request with this identifier has been answered already.

        Parameters
        ----------
        request_id
            Identifier that the client chose; "" for none.
        content
            What the request asks for.
        faults
            Number of faults in the answer.
        action
            What the request does.

        Raises
        ------
        ServerError
            INVALID_FIELD for an identifier that is too long, REQUEST_ID_REUSED, or what `action`
            raises.
        """
        if len(request_id) > MAX_REQUEST_ID:
            expected = f"expected at most {MAX_REQUEST_ID} characters, got {len(request_id)}"
            raise invalid([Violation("request_id", expected)])
        if request_id in self._answered:
            earlier = self._answered[request_id]
            if earlier.content != content:
                raise request_id_reused(request_id)
            answer: Answer = earlier.answer
            return answer
        answer = action()
        if request_id:
            self._answered[request_id] = _Answered(content, answer, faults)
            self._faults += faults
            while self._faults > MAX_REMEMBERED_FAULTS:
                self._faults -= self._answered.popitem(last=False)[1].faults
        return answer
