"""Requests with an identifier: one that is sent again is answered as before, and not done twice."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

from server.errors import Violation, invalid, request_id_reused
from server.experiments.injection import Injection
from server.records.experiments import AnsweredRequest

MAX_REQUEST_ID = 128
MAX_REMEMBERED_FAULTS = 10_000
"""Faults in all remembered answers; beyond that, the oldest answers are forgotten."""


def digest(content: object) -> str:
    """Make a digest of what a request asks for; `content` is a value with a complete `repr`."""
    return hashlib.sha256(repr(content).encode()).hexdigest()


class IdempotentRequests:
    """Remembers the answers to requests that have an identifier, because they may be retried.

    It outlives a restart of the server, but not a reset.

    Parameters
    ----------
    answered
        Requests to earlier servers, oldest first.
    """

    def __init__(self, answered: Iterable[AnsweredRequest] = ()) -> None:
        self._known: OrderedDict[str, Injection] = OrderedDict()
        self._faults = 0
        self._forgotten = False
        for one in answered:
            self.remember(Injection(one.experiment, one.request_id, one.content, wait=_stored))

    def find(self, request_id: str, content: str) -> Injection | None:
        """Find what a request with this identifier has led to; None if it is a new one.

        Parameters
        ----------
        request_id
            Identifier that the client chose; "" for none.
        content
            Digest of what the request asks for.

        Raises
        ------
        ServerError
            INVALID_FIELD for an identifier that is too long, or REQUEST_ID_REUSED.
        """
        if len(request_id) > MAX_REQUEST_ID:
            expected = f"expected at most {MAX_REQUEST_ID} characters, got {len(request_id)}"
            raise invalid([Violation("request_id", expected)])
        known = self._known.get(request_id)
        if known is not None and known.content != content:
            raise request_id_reused(request_id)
        return known

    def remember(self, injection: Injection) -> None:
        """Remember an answer, if its request has an identifier."""
        if not injection.request_id:
            return
        self._known[injection.request_id] = injection
        self._faults += len(injection.experiment.faults)
        while self._faults > MAX_REMEMBERED_FAULTS:
            self._faults -= len(self._known.popitem(last=False)[1].experiment.faults)

    def forget(self, injection: Injection) -> None:
        """Forget an answer that does not hold: its identifier is free again."""
        if self._known.get(injection.request_id) is injection:
            del self._known[injection.request_id]
            self._faults -= len(injection.experiment.faults)

    def forget_all(self) -> None:
        """Forget all answers, because a new run begins."""
        self._known.clear()
        self._faults, self._forgotten = 0, True

    def drain_forgotten(self) -> bool:
        """Whether all answers were forgotten since the last call."""
        forgotten, self._forgotten = self._forgotten, False
        return forgotten


def _stored() -> None:
    """Nothing to wait for: it was stored by an earlier server."""
