"""What is done to the fleet as a whole: systems come and go, and one kill switch is above all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from server.errors import ServerError, internal, not_stored, system_in_use
from server.experiments.kill_switch import KillSwitch
from server.records.experiments import InjectedFault
from server.records.systems import EVERY_SYSTEM
from server.rpc.hosted_system import HostedSystem, Systems
from server.store import Store, StoreError, UndecidedError, kill_switch, systems
from server.systems.entry import SystemEntry
from server.systems.fleet import Member
from server.systems.system import System

STOPPED = (
    "the faults of all systems are stopped, but after a restart the records say that they ended "
    "with the server; repeat the call to have it stored"
)
ENGAGED = (
    "the kill switch for all systems is on, but after a restart it is as it was stored last; "
    "repeat the call to have it stored"
)
LIFTED = (
    "the kill switch for all systems is off, but after a restart it is as it was stored last; "
    "repeat the call to have it stored"
)
RETRY_S = 2.0
"""Wait before a kill switch that could not be stored is stored once more."""
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
    _making_up: asyncio.Task[None] | None = None

    async def stop_faults(self) -> list[InjectedFault]:
        """Stop the faults of all systems; return the stopped ones.

        Raises
        ------
        ServerError
            STORE_UNAVAILABLE; the faults are stopped nevertheless. INTERNAL, if that failed for a
            system; those of the others are stopped.
        """
        return await self._whole(self._stop_everywhere())

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

    async def remove(self, system: str) -> bool:
        """Remove a system that was added, also one that was left out at the start.

        Returns whether a system with this id is still watched: one of the systems file.

        Raises
        ------
        ServerError
            UNKNOWN_SYSTEM, SYSTEM_OF_FILE, or STORE_UNAVAILABLE; nothing is changed then.
        """
        return await self._whole(self._remove(system))

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
            count = await self._ask(
                lambda c: systems.delete_records(c, system), "no records were deleted"
            )
        _log.info("%d records of system %s were deleted", count, system)
        return count

    def close(self) -> None:
        """Make up for nothing any more, because the server stops."""
        if self._making_up is not None:
            self._making_up.cancel()

    async def _whole(self, change: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.create_task(change)
        self._tasks.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _engage(self) -> list[InjectedFault]:
        async with self._switching:
            was_on, self.kill_switch.on = self.kill_switch.on, True
            stopped = await self._everywhere(System.stop if was_on else System.stop_for_all)
            storing = self._submit_kill_switch()
        await self._kill_switch_stored(storing, ENGAGED)
        return await self._stopped(stopped)

    async def _lift(self) -> bool:
        async with self._switching:
            was_on, self.kill_switch.on = self.kill_switch.on, False
            if was_on:
                await self._everywhere(System.accept_for_all)
            storing = self._submit_kill_switch()
        await self._kill_switch_stored(storing, LIFTED)
        return was_on

    async def _add(self, entry: SystemEntry) -> Member[HostedSystem]:
        async with self._changing:
            self.systems.check_new(entry)
            stated, now = dict(entry.stated), datetime.now(UTC)
            add = partial(systems.add, system=entry.id, entry=stated, now=now)
            await self._ask(add, f"system {entry.id} was not added")
            return self.systems.add(entry)

    async def _remove(self, system: str) -> bool:
        async with self._changing:
            entries = [member.entry for member in self.systems if member.entry.id == system]
            added = any(entry.added for entry in entries)
            holds = f"system {system} is {'still watched' if entries else 'not forgotten'}"
            # Also one that was left out at the start, perhaps for one of the systems file.
            forgotten = await self._ask(lambda c: systems.remove(c, system), holds)
            if added:
                await self.systems.remove(system)
            elif forgotten:
                _log.info("system %s, which was added and left out, is forgotten", system)
            else:
                self.systems.check_removable(system)
            return bool(entries) and not added

    async def _stop_everywhere(self) -> list[InjectedFault]:
        return await self._stopped(await self._everywhere(System.stop))

    async def _stopped(self, stopped: list[list[InjectedFault] | None]) -> list[InjectedFault]:
        """Wait until it is stored that faults were stopped, and list them."""
        stored = (hosted.repository.stored(STOPPED) for hosted in self.systems.hosted())
        await asyncio.gather(*stored)
        if None in stopped:
            raise internal()
        return [fault for of_one in stopped for fault in of_one or ()]

    async def _everywhere(self, act: Callable[[System], Result]) -> list[Result | None]:
        """Act on all systems at once; None for each where that failed, which is logged."""

        async def on(hosted: HostedSystem) -> Result | None:
            try:
                return await hosted.at_once(act, hosted.system)
            except ServerError:
                raise
            except Exception:
                _log.exception("system %s: a change for all systems failed", hosted.id)
                return None

        acting = [on(hosted) for hosted in self.systems.hosted()]
        done = await asyncio.gather(*acting, return_exceptions=True)
        # One that is no longer watched has ended with its faults.
        return [one for one in done if not isinstance(one, BaseException)]

    async def _ask(self, work: Callable[[Any], Result], holds: str) -> Result:
        """Store a change before it is made; `holds` says what holds if that fails."""
        try:
            return await self.store.run_blocking(self.store.ask, work)
        except StoreError as error:
            _log.error("a change of the systems cannot be stored: %s", error)
            if isinstance(error, UndecidedError):
                holds = f"{holds}; it may still be stored, and hold after a restart"
            raise not_stored(holds, done=False) from error

    def _submit_kill_switch(self) -> Future[None]:
        on, now = self.kill_switch.on, datetime.now(UTC)
        return self.store.submit(lambda c: kill_switch.set_engaged(c, EVERY_SYSTEM, on, now))

    async def _kill_switch_stored(self, storing: Future[None], holds: str) -> None:
        """Wait for the store without a lock, so that the next switch is not held up."""
        try:
            await self.store.committed(storing)
        except StoreError as error:
            _log.error("the kill switch for all systems cannot be stored: %s", error)
            if self._making_up is None:
                self._making_up = asyncio.create_task(self._make_up())
            raise not_stored(holds, done=True) from error

    async def _make_up(self) -> None:
        """Store the kill switch once more, as it is then, until that succeeds."""
        while True:
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(StoreError):
                async with self._switching:
                    storing = self._submit_kill_switch()
                await self.store.committed(storing)
                _log.info("the kill switch for all systems is stored")
                self._making_up = None
                return
