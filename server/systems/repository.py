"""Saves the records of a system in the store, and reads them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy.engine import Connection

from server.errors import store_unavailable
from server.experiments.kill_switch import KillSwitch
from server.pipeline.budgets import SloSettings
from server.records.experiments import Experiment
from server.records.findings import Alarm, Incident
from server.store import (
    Store,
    StoreError,
    alarms,
    events,
    experiments,
    incidents,
    kill_switch,
)
from server.store.alarms import AlarmFilter
from server.store.documents import RecordError
from server.store.incidents import IncidentFilter
from server.store.pages import Page
from server.systems.event_log import EventLog
from server.systems.recorder import Changes, Persistence

WRITES_BETWEEN_PRUNING = 200
FLUSH_TIMEOUT_S = 5.0
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

        def begin(connection: Connection) -> tuple[EventLog, bool]:
            log = EventLog(events.latest(connection, self.system))
            return log, kill_switch.engaged(connection, self.system)

        log, engaged = self._store.ask(begin)
        if engaged:
            _log.warning(
                "the kill switch of system %s is engaged: faults are refused until it is lifted",
                self.system,
            )
        return Persistence(log, self.save, KillSwitch(engaged, for_all), slos)

    def save(self, changes: Changes) -> None:
        """Save changes soon; the store logs and counts those that cannot be written."""
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
            events.add(connection, system, changes.events)
            # Read each time, because an earlier write may have been lost.
            if kill_switch.engaged(connection, system) is not changes.kill_switch:
                kill_switch.set_engaged(connection, system, changes.kill_switch, now)
            if prunes:
                for kind in (incidents, alarms, experiments, events):
                    kind.drop_old(connection, system)

        self._store.offer(write)

    def flush(self) -> None:
        """Wait until earlier changes are written or lost, or a timeout has passed."""
        with contextlib.suppress(StoreError, TimeoutError):
            self._store.write(lambda _: None).result(FLUSH_TIMEOUT_S)

    async def flush_async(self) -> None:
        """Flush without blocking the event loop."""
        await self._store.run_blocking(self.flush)

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
            return self._store.ask(work)
        except (StoreError, RecordError) as error:
            _log.exception("records cannot be read")
            raise store_unavailable() from error
