"""A plain discrete-event simulation with the exact semantics: slow code that anyone can read.

Services are FIFO queues with a number of workers and, if wanted, a bound. A client calls a service,
gives up after its timeout, and tries again after a random backoff, as often as it has retries; the
service does not notice, so abandoned work stays in its queue, unless the client cancels it. A
request first does its own work, then calls its dependencies, one after the other or all at once,
without holding a worker.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

Action = Callable[[], None]


class Clock:
    """Runs actions in the order of their times."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()

    def after(self, delay_s: float, action: Action) -> None:
        heapq.heappush(self._due, (self.now + delay_s, next(self._numbers), action))

    def run(self, until_s: float) -> None:
        while self._due and self._due[0][0] <= until_s:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = until_s


@dataclass
class Call:
    """How a client calls a service."""

    service: Service
    calls_per_request: float = 1.0
    timeout_s: float = math.inf
    retries: int = 0
    retry_budget: float = math.inf
    backoff_s: float = 0.025
    cancels: bool = False
    first_attempts: int = 0
    retried: int = 0


@dataclass
class Service:
    """A queue with workers, and what it calls afterwards."""

    clock: Clock
    rng: random.Random
    workers: int
    service_s: float
    service_cv: float = 1.0
    queue_limit: float = math.inf
    calls: list[Call] = field(default_factory=list)
    parallel: bool = False
    attempts: int = 0
    served: int = 0
    rejected: int = 0
    busy_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    observing: bool = True
    _busy: int = 0
    _queue: deque[Action] = field(default_factory=deque)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def request(self, done: Callable[[bool], None]) -> Action:
        """Take a request; `done` learns whether it was answered well.

        What is returned cancels it: it leaves the queue, or frees its worker.
        """
        self.attempts += 1
        if self._busy >= self.workers and len(self._queue) >= self.queue_limit:
            self.rejected += 1
            done(False)
            return lambda: None
        arrived = self.clock.now
        began_s: float | None = None
        over = False

        def work() -> None:
            nonlocal began_s
            began_s = self.clock.now
            self._busy += 1
            self.clock.after(self._duration_s(), finish)

        def leave_worker() -> None:
            nonlocal over
            over = True
            self._busy -= 1
            assert began_s is not None
            self.busy_s += self.clock.now - began_s
            if self._queue:
                self._queue.popleft()()

        def finish() -> None:
            if not over:
                leave_worker()
                (self._call_all if self.parallel else self._call_next)(self._wanted(), answer)

        def cancel() -> None:
            if began_s is None and work in self._queue:
                self._queue.remove(work)
            elif began_s is not None and not over:
                leave_worker()

        def answer(success: bool) -> None:
            if success:
                self.served += 1
                if self.observing:
                    self.latencies_s.append(self.clock.now - arrived)
            done(success)

        if self._busy < self.workers:
            work()
        else:
            self._queue.append(work)
        return cancel

    def _wanted(self) -> list[Call]:
        wanted = []
        for call in self.calls:
            whole, part = divmod(call.calls_per_request, 1.0)
            wanted += [call] * (int(whole) + (self.rng.random() < part))
        return wanted

    def _call_next(self, wanted: list[Call], done: Callable[[bool], None]) -> None:
        if not wanted:
            done(True)
            return
        first, rest = wanted[0], wanted[1:]

        def called(success: bool) -> None:
            if success:
                self._call_next(rest, done)
            else:
                done(False)

        attempt(self.clock, self.rng, first, called)

    def _call_all(self, wanted: list[Call], done: Callable[[bool], None]) -> None:
        ended: list[bool] = []

        def called(success: bool) -> None:
            ended.append(success)
            if len(ended) == len(wanted):
                done(all(ended))

        for call in wanted:
            attempt(self.clock, self.rng, call, called)
        if not wanted:
            done(True)

    def _duration_s(self) -> float:
        if self.service_cv == 1.0:
            return self.rng.expovariate(1.0 / self.service_s)
        shape = 1.0 / self.service_cv**2
        return self.rng.gammavariate(shape, self.service_s / shape)


def attempt(
    clock: Clock, rng: random.Random, call: Call, done: Callable[[bool], None], tried: int = 0
) -> None:
    """Call a service, with a timeout and retries; `done` hears of the end once."""
    over = False
    if tried == 0:
        call.first_attempts += 1

    def end(success: bool) -> None:
        nonlocal over
        if over:
            return  # the client has given this attempt up
        over = True
        if success or tried >= call.retries:
            done(success)
        elif call.retried + 1 > call.retry_budget * call.first_attempts:
            done(False)
        else:
            call.retried += 1
            wait_s = rng.expovariate(1.0 / (call.backoff_s * 2.0**tried))
            clock.after(wait_s, lambda: attempt(clock, rng, call, done, tried + 1))

    cancel = call.service.request(end)

    def give_up() -> None:
        if not over and call.cancels:
            cancel()
        end(False)

    if math.isfinite(call.timeout_s):
        clock.after(call.timeout_s, give_up)


def poisson(
    clock: Clock, rng: random.Random, rate_rps: Callable[[float], float], arrive: Action
) -> None:
    """Let requests arrive at a rate that may change over time, piece by piece."""

    def next_arrival() -> None:
        arrive()
        clock.after(rng.expovariate(max(rate_rps(clock.now), 1e-9)), next_arrival)

    clock.after(rng.expovariate(max(rate_rps(0.0), 1e-9)), next_arrival)
