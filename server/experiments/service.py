"""Takes orders for faults, and refuses them while the kill switch is on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from server.errors import Violation, invalid, kill_switch_engaged, request_id_reused
from server.experiments.book import ChaosBook, Plan
from server.experiments.requests import FaultOrder, check_order
from server.pipeline.snapshot import ActiveFault, Run
from server.pipeline.stages import Watched
from server.records.events import EventKind, Happening
from server.records.experiments import Experiment, InjectedFault
from simulator.faults.scenario import Scenario
from simulator.simulation import Simulation

MAX_REQUEST_ID = 128
REMEMBERED_FAULTS = 10_000
"""Faults in the answers to requests that may be sent again."""

Answer = TypeVar("Answer")


class KillSwitch:
    """Whether faults are refused; it stays as it is when a run ends."""

    def __init__(self, engaged: bool = False) -> None:
        self.engaged = engaged


class ChaosDesk:
    """Takes the orders of one run; not safe to use from several threads.

    Parameters
    ----------
    simulation, run
        What the faults act on.
    watched
        What was found last in the run.
    max_faults
        That may act or wait at a time.
    switch
        Outlives the run.
    """

    def __init__(
        self,
        simulation: Simulation,
        run: Run,
        watched: Watched,
        max_faults: int,
        switch: KillSwitch,
    ) -> None:
        self.book = ChaosBook(simulation, run, watched, max_faults)
        self._simulation, self._run, self._switch = simulation, run, switch
        self._answers: OrderedDict[str, tuple[object, Any, int]] = OrderedDict()
        self._remembered_faults = 0
        self._happened: list[Happening] = []

    def inject(self, order: FaultOrder, request_id: str = "") -> ActiveFault:
        """Inject a fault, from the next step on, as an experiment of its own.

        Raises
        ------
        ServerError
            INVALID_FIELD, UNKNOWN_SERVICE, TOO_MANY_FAULTS, KILL_SWITCH_ENGAGED, or
            REQUEST_ID_REUSED; nothing is changed then.
        """

        def begin() -> ActiveFault:
            check_order(order, self._run.graph)
            fault = order.fault(self._simulation.time_s, self._simulation.most_depended_on)
            return self.book.inject(Plan((fault,))).parts[0].active

        return self._once(request_id, order, 1, begin)

    def run(self, scenario: Scenario, request_id: str = "") -> Experiment:
        """Inject the faults of a scenario, whose time begins now, as one experiment.

        Raises
        ------
        ServerError
            As of `inject`.
        """

        def begin() -> Experiment:
            now_s = self._simulation.time_s
            faults = tuple(
                FaultOrder.of(fault).fault(now_s + fault.start_s, self._simulation.most_depended_on)
                for fault in scenario.faults
            )
            plan = Plan(faults, scenario.name, now_s + scenario.seconds)
            return self.book.inject(plan).record()

        return self._once(request_id, scenario, max(1, len(scenario.faults)), begin)

    def set_kill_switch(self, engaged: bool, time: datetime) -> list[InjectedFault]:
        """Stop everything and refuse what is new, or take orders again; return what was stopped.

        Parameters
        ----------
        engaged
            Whether it is to be on from now on.
        time
            Simulated clock.
        """
        stopped = self.book.stop() if engaged else []
        if engaged is not self._switch.engaged:
            self._switch.engaged = engaged
            kind = EventKind.KILL_SWITCH_ENGAGED if engaged else EventKind.KILL_SWITCH_LIFTED
            text = "the kill switch is on: no fault is taken" if engaged else (
                "the kill switch is off: faults are taken again"
            )  # fmt: skip
            self._happened.append(Happening(kind, time, (), text))
        return stopped

    def drain(self) -> tuple[list[Experiment], list[Happening]]:
        """Give, once, the experiments that changed, and what happened."""
        changed, happened = self.book.drain()
        happened += self._happened
        self._happened = []
        return changed, happened

    def _once(
        self, request_id: str, content: object, faults: int, begin: Callable[[], Answer]
    ) -> Answer:
        """Do what is asked, unless it was done under this identifier already."""
        if len(request_id) > MAX_REQUEST_ID:
            expected = f"expected at most {MAX_REQUEST_ID} characters, got {len(request_id)}"
            raise invalid([Violation("request_id", expected)])
        if request_id in self._answers:
            known, answer, _ = self._answers[request_id]
            if known != content:
                raise request_id_reused(request_id)
            given: Answer = answer
            return given
        if self._switch.engaged:
            raise kill_switch_engaged()
        result = begin()
        if request_id:
            self._answers[request_id] = (content, result, faults)
            self._remembered_faults += faults
            while self._remembered_faults > REMEMBERED_FAULTS:
                self._remembered_faults -= self._answers.popitem(last=False)[1][2]
        return result
