"""Saves the records of a system in the store, and reads them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.engine import Connection

from server.errors import not_stored, store_unavailable
from server.experiments.idempotency import IdempotentRequests
from server.experiments.kill_switch import KillSwitch
from server.pipeline.budgets import SloSettings
from server.records.experiments import AnsweredRequest, Experiment
from server.records.findings import Alarm, Incident
from server.store import (
    Store,
    StoreError,
    UndecidedError,
    alarms,
    events,
    experiments,
    incidents,
    kill_switch,
    requests,
)
from server.store.alarms import AlarmFilter
from server.store.documents import RecordError
from server.store.incidents import IncidentFilter
from server.store.pages import Page
from server.systems.backlog import Backlog
from server.systems.event_log import EventLog
from server.systems.recorder import Changes, Persistence

WRITES_BETWEEN_PRUNING = 200
REQUESTS_KEPT = timedelta(days=1)
"""How long a request with an identifier is answered again after a restart."""
_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Repository:
    """Writes asynchronously, so that a system never waits; reads see all earlier writes.

    Parameters
    ----------
    store
        Database of the records.
    system
        Id of the system that the records belong to.

    Attributes
    ----------
    system
        Id of the system.
    run_blocking
        See `Store.run_blocking`.
    """

    def __init__(self, store: Store, system: str) -> None:
        self._store, self.system = store, system
        self.run_blocking = store.run_blocking
        self._writes = 0
        self._backlog = Backlog(system)

    def open(self, slos: SloSettings, for_all: KillSwitch | None = None) -> Persistence:
        """Return the state that outlived earlier runs.

        Parameters
        ----------
        slos
            Settings of error budgets.
        for_all
            The kill switch for all systems; None: there is none.

        Raises
        ------
        StoreError
            If the database does not respond.
        """

        def begin(connection: Connection) -> tuple[EventLog, bool, list[AnsweredRequest]]:
            log = EventLog(events.latest(connection, self.system))
            kept = requests.since(connection, self.system, datetime.now(UTC) - REQUESTS_KEPT)
            return log, kill_switch.engaged(connection, self.system), kept

        log, engaged, answered = self._store.ask(begin)
        if engaged:
            _log.warning(
                "the kill switch of system %s is engaged: faults are refused until it is lifted",
                self.system,
            )
        return Persistence(
            log=log,
            save=self.save,
            accept=self.accept,
            backlog=self._backlog,
            requests=IdempotentRequests(answered),
            kill_switch=KillSwitch(engaged, for_all),
            slos=slos,
        )

    def save(self, changes: Changes) -> Future[None]:
        """Save changes soon; never waits.

        The store logs and counts those that cannot be written, except for experiments and the kill
        switch, which the backlog makes up for.
        """
        self._writes += 1
        now, system = datetime.now(UTC), self.system
        prunes = self._writes % WRITES_BETWEEN_PRUNING == 0

        def write(connection: Connection) -> None:
            for incident in changes.incidents:
                incidents.put(connection, system, incident)
            for alarm in changes.alarms:
                alarms.put(connection, system, alarm)
            for experiment in changes.experiments:
                experiments.put(connection, system, experiment)
            for experiment_id in changes.withdrawn:
                _withdraw(connection, experiment_id)
            events.add(connection, system, changes.events)
            if changes.forget_requests:
                requests.forget(connection, system)
            # Read each time, because an earlier write may have been lost.
            if kill_switch.engaged(connection, system) is not changes.kill_switch:
                kill_switch.set_engaged(connection, system, changes.kill_switch, now)
            if prunes:
                for kind in (incidents, alarms, experiments, events, requests):
                    kind.drop_old(connection, system)

        lost_if_it_fails = bool(changes.events or changes.incidents or changes.alarms)
        return self._store.submit(write, counted=lost_if_it_fails)

    def accept(self, request: AnsweredRequest) -> Callable[[], None]:
        """Store a request for faults soon; give what waits until that is done.

        What waits raises `ServerError`, STORE_UNAVAILABLE, if it is not stored, nor will be.
        """
        now, system, experiment = datetime.now(UTC), self.system, request.experiment

        def write(connection: Connection) -> None:
            experiments.put(connection, system, experiment)
            if request.request_id:
                requests.add(connection, system, request, now)

        writing = self._store.submit(write)

        def wait() -> None:
            try:
                self._store.confirm(writing)
            except StoreError as error:
                if isinstance(error, UndecidedError):
                    self._store.offer(lambda c: _withdraw(c, experiment.id))
                _log.error("system %s: a fault cannot be stored: %s", system, error)
                raise not_stored("nothing was injected", done=False) from error

        return wait

    async def stored(self, holds: str) -> None:
        """Wait until all that has changed so far is stored; no thread waits.

        Raises
        ------
        ServerError
            STORE_UNAVAILABLE, with `holds`, if that fails or takes too long.
        """
        try:
            for writing in self._backlog.under_way:
                await self._store.committed(writing)
            if self._backlog.problem is not None:
                raise self._backlog.problem
        except StoreError as error:
            _log.error("system %s: a change could not be stored: %s", self.system, error)
            raise not_stored(holds, done=True) from error

    def incidents(self, criteria: IncidentFilter, before: int | None, size: int) -> Page[Incident]:
        """Read a page of incidents, the newest first.

        Raises
        ------
        ServerError
            STORE_UNAVAILABLE.
        """
        return self._read(lambda c: incidents.page(c, self.system, criteria, before, size))

    def alarms(self, criteria: AlarmFilter, before: int | None, size: int) -> Page[Alarm]:
        """Read a page of alarms, the newest first; raises as `incidents`."""
        return self._read(lambda c: alarms.page(c, self.system, criteria, before, size))

    def experiments(self, before: int | None, size: int) -> Page[Experiment]:
        """Read a page of experiments, the newest first; raises as `incidents`."""
        return self._read(lambda c: experiments.page(c, self.system, before, size))

    def experiment(self, experiment_id: str) -> Experiment | None:
        """Read an experiment; None if there is none; raises as `incidents`."""
        return self._read(lambda c: experiments.get(c, self.system, experiment_id))

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        # After the waiting writes, so that a client sees its own changes.
        try:
            return self._store.read_written(work)
        except (StoreError, RecordError) as error:
            _log.exception("records cannot be read")
            raise store_unavailable() from error


def _withdraw(connection: Connection, experiment_id: str) -> None:
    requests.withdraw(connection, experiment_id)
    experiments.withdraw(connection, experiment_id)
