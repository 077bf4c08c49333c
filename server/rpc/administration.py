"""What is done to the fleet as a whole: systems come and go, and one kill switch is above all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from server.errors import Reason, ServerError, internal, system_in_use
from server.experiments.kill_switch import KillSwitch
from server.records.experiments import InjectedFault
from server.records.systems import EVERY_SYSTEM
from server.rpc.hosted_system import HostedSystem, Systems
from server.store import Store, StoreError, kill_switch, systems
from server.systems.entry import SystemEntry
from server.systems.fleet import Member
from server.systems.system import System

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(eq=False)
class Administration:
    """Changes the fleet, one change at a time; used from the event loop only.

    A change is made as a whole: it goes on if its caller gives up.

    Attributes
    ----------
    systems
        All systems.
    store
        Database: what is acknowledged is stored.
    kill_switch
        The kill switch for all systems.
    read_entry
        Reads the entry of a call; raises `ServerError`, INVALID_FIELD.
    """

    systems: Systems
    store: Store
    kill_switch: KillSwitch
    read_entry: Callable[[str], SystemEntry]
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _switching: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def stop_faults(self) -> list[InjectedFault]:
        """Stop the faults of all systems; return the stopped ones.

        Raises
        ------
        ServerError
            INTERNAL, if that failed for a system; those of the others are stopped.
        """
        return await self._whole(self._stop_everywhere(System.stop))

    async def engage_kill_switch(self) -> list[InjectedFault]:
        """Stop the faults of all systems, and refuse new ones; return the stopped ones.

        Raises
        ------
        ServerError
            STORE_UNAVAILABLE; the kill switch is engaged nevertheless, until a restart. INTERNAL,
            if stopping failed for a system; new faults are refused by all.
        """
        return await self._whole(self._engage())

    async def lift_kill_switch(self) -> bool:
        """Accept faults again, where no other kill switch is on; return whether this one was.

        Raises
        ------
        ServerError
            STORE_UNAVAILABLE; the kill switch is lifted nevertheless, until a restart.
        """
        return await self._whole(self._lift())

    async def add(self, document: str) -> Member[HostedSystem]:
        """Add the system of an entry.

        Raises
        ------
        ServerError
            INVALID_FIELD, SYSTEM_EXISTS, TOO_MANY_SYSTEMS, or STORE_UNAVAILABLE; nothing is
            changed then.
        """
        entry = await asyncio.to_thread(self.read_entry, document)
        return await self._whole(self._add(entry))

    async def remove(self, system: str) -> None:
        """Remove a system that was added.

        Raises
        ------
        ServerError
            UNKNOWN_SYSTEM, SYSTEM_OF_FILE, or STORE_UNAVAILABLE; nothing is changed then.
        """
        await self._whole(self._remove(system))

    async def apply(self, read: Callable[[], Sequence[SystemEntry]]) -> int:
        """Watch the systems of a systems file, and those that were added; return how many it has.

        `read` reads and checks the file, in a thread; what it raises changes nothing.
        """
        async with self._changing:
            entries = await asyncio.to_thread(read)
            await self.systems.apply(entries)
            return len(entries)

    async def delete_records(self, system: str) -> int:
        """Delete the records of a system that is not watched; return how many.

        Raises
        ------
        ServerError
            SYSTEM_IN_USE, or STORE_UNAVAILABLE.
        """
        async with self._changing:
            if any(member.entry.id == system for member in self.systems):
                raise system_in_use(system)
            count = await self._ask(lambda c: systems.delete_records(c, system))
        _log.info("%d records of system %s were deleted", count, system)
        return count

    async def _whole(self, change: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.create_task(change)
        self._tasks.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _engage(self) -> list[InjectedFault]:
        async with self._switching:
            was_on, self.kill_switch.on = self.kill_switch.on, True
            stop = System.stop if was_on else System.stop_for_all
            try:
                return await self._stop_everywhere(stop)
            finally:
                await self._store_kill_switch("the kill switch for all systems is engaged")

    async def _lift(self) -> bool:
        async with self._switching:
            was_on, self.kill_switch.on = self.kill_switch.on, False
            if was_on:
                await self._everywhere(System.accept_for_all)
            await self._store_kill_switch("the kill switch for all systems is lifted")
            return was_on

    async def _add(self, entry: SystemEntry) -> Member[HostedSystem]:
        async with self._changing:
            self.systems.check_new(entry)
            stated, now = dict(entry.stated), datetime.now(UTC)
            await self._ask(lambda c: systems.add(c, entry.id, stated, now))
            return self.systems.add(entry)

    async def _remove(self, system: str) -> None:
        async with self._changing:
            self.systems.check_removable(system)
            await self._ask(lambda c: systems.remove(c, system))
            await self.systems.remove(system)

    async def _stop_everywhere(
        self, stop: Callable[[System], list[InjectedFault]]
    ) -> list[InjectedFault]:
        stopped = await self._everywhere(stop)
        if None in stopped:
            raise internal()
        return [fault for of_one in stopped for fault in of_one or ()]

    async def _everywhere(self, act: Callable[[System], Result]) -> list[Result | None]:
        """Act on all systems at once; None for each where that failed, which is logged."""

        async def on(system: System) -> Result | None:
            try:
                return await asyncio.to_thread(act, system)
            except ServerError:
                raise
            except Exception:
                _log.exception("system %s: a change for all systems failed", system.id)
                return None

        acting = [on(hosted.system) for hosted in self.systems.hosted()]
        done = await asyncio.gather(*acting, return_exceptions=True)
        # One that is no longer watched has ended with its faults.
        return [one for one in done if not isinstance(one, BaseException)]

    async def _ask(self, work: Callable[[Any], Result]) -> Result:
        return await self.store.run_blocking(self.store.ask, work)

    async def _store_kill_switch(self, holds: str) -> None:
        on, now = self.kill_switch.on, datetime.now(UTC)
        try:
            await self._ask(lambda c: kill_switch.set_engaged(c, EVERY_SYSTEM, on, now))
        except StoreError as error:
            _log.exception("the kill switch for all systems cannot be stored")
            message = f"{holds}, but it cannot be stored: a restart of the server undoes it"
            raise ServerError(Reason.STORE_UNAVAILABLE, message) from error
