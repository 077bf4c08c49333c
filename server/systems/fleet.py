"""The fleet: all systems that a server watches, each independent of the others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from server.errors import (
    shutting_down,
    system_exists,
    system_not_ready,
    system_of_file,
    too_many_systems,
    unknown_system,
    which_system,
)
from server.ports import SourceError
from server.systems.entry import SystemEntry

MAX_SYSTEMS = 500
FIRST_RETRY_S, MAX_RETRY_S = 1.0, 60.0
"""Wait before a failed source is opened again; it doubles from one attempt to the next."""
START_TIMEOUT_S = 10.0
"""How long the start of the server waits for the sources."""
_log = logging.getLogger(__name__)


class Hosted(Protocol):
    """A system that is being watched."""

    async def end(self) -> None:
        """Stop its faults, end its run, and stop watching it."""
        ...

    async def stop(self) -> None:
        """Stop watching it because the server stops."""
        ...


H = TypeVar("H", bound=Hosted)


class Member(Generic[H]):
    """A system of the fleet, whether its source is open or not.

    Attributes
    ----------
    entry
        Its entry.
    hosted
        The watched system; None while its source is not open.
    problem
        Why its source cannot be opened, for people; "" if nothing is known to be wrong.
    """

    def __init__(self, entry: SystemEntry) -> None:
        self.entry = entry
        self.hosted: H | None = None
        self.problem = ""
        self.opening: asyncio.Task[None] | None = None
        self.tried = asyncio.Event()


class Fleet(Generic[H]):
    """All systems of a server; used from the event loop only.

    Parameters
    ----------
    host
        Opens the source of an entry and begins to watch it; raises `SourceError` if that fails.
    """

    def __init__(self, host: Callable[[SystemEntry], Awaitable[H]]) -> None:
        self._host = host
        self._members: dict[str, Member[H]] = {}
        self._stopped = False

    def __iter__(self) -> Iterator[Member[H]]:
        """Iterate over the systems, in the order in which they were added."""
        return iter(tuple(self._members.values()))

    def hosted(self) -> Iterator[H]:
        """Iterate over the systems that are being watched."""
        return (member.hosted for member in self if member.hosted is not None)

    def member(self, system: str) -> Member[H]:
        """Find a system; "" stands for the default one, or for the only one.

        Raises
        ------
        ServerError
            UNKNOWN_SYSTEM, or WHICH_SYSTEM if "" could stand for several.
        """
        if system:
            if system not in self._members:
                raise unknown_system(system, self._members)
            return self._members[system]
        defaults = [member for member in self if member.entry.default]
        chosen = defaults or list(self)
        if len(chosen) != 1:
            raise which_system(self._members) if chosen else unknown_system(system, ())
        return chosen[0]

    def get(self, system: str) -> H:
        """Find a system that is being watched; "" as for `member`.

        Raises
        ------
        ServerError
            UNKNOWN_SYSTEM, WHICH_SYSTEM, or SYSTEM_NOT_READY.
        """
        member = self.member(system)
        if member.hosted is None:
            failed = f"has failed, and is tried again: {member.problem}"
            problem = failed if member.problem else "is starting; try again soon"
            raise system_not_ready(member.entry.id, problem)
        return member.hosted

    async def open_only(self, entry: SystemEntry) -> None:
        """Open the one system of a server without a systems file; a failure is raised."""
        member: Member[H] = Member(entry)
        member.hosted = await self._host(entry)
        self._members[entry.id] = member

    async def start(self, entries: Iterable[SystemEntry]) -> None:
        """Begin to watch systems; waits for the first attempt of each, but not for long."""
        members = [self._begin(entry) for entry in entries]
        attempts = asyncio.gather(*(member.tried.wait() for member in members))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                await attempts

    def check_new(self, entry: SystemEntry) -> None:
        """Check that a system can be added.

        Raises
        ------
        ServerError
            SYSTEM_EXISTS, or TOO_MANY_SYSTEMS.
        """
        if entry.id in self._members:
            raise system_exists(entry.id)
        if len(self._members) >= MAX_SYSTEMS:
            raise too_many_systems(MAX_SYSTEMS)

    def add(self, entry: SystemEntry) -> Member[H]:
        """Begin to watch one more system; raises as `check_new`."""
        self.check_new(entry)
        return self._begin(entry)

    def check_removable(self, system: str) -> None:
        """Check that a system can be removed.

        Raises
        ------
        ServerError
            UNKNOWN_SYSTEM, or SYSTEM_OF_FILE.
        """
        if not system or system not in self._members:
            raise unknown_system(system, self._members)
        if not self._members[system].entry.added:
            raise system_of_file(system)

    async def remove(self, system: str) -> None:
        """Stop watching a system, and forget it."""
        member = self._members[system]
        try:
            await self._stop_opening(member)
            if member.hosted is not None:
                await member.hosted.end()
        except Exception:
            _log.exception("system %s did not end in order", system)
        finally:
            del self._members[system]
            member.hosted = None
        _log.info("system %s is no longer watched", system)

    async def apply(self, entries: Iterable[SystemEntry]) -> None:
        """Watch these systems and those that were added by calls; what is unchanged goes on."""
        wanted = {entry.id: entry for entry in entries}
        for member in self:
            entry = member.entry
            if entry.added:
                wanted.pop(entry.id, None)
                continue
            if entry.id not in wanted:
                await self.remove(entry.id)
            elif wanted[entry.id].stated == entry.stated:
                del wanted[entry.id]
            else:
                await self.remove(entry.id)
        for entry in wanted.values():
            self._begin(entry)

    async def stop(self) -> None:
        """Stop watching all systems, because the server stops."""
        self._stopped = True
        await asyncio.gather(*map(self._stop_opening, self))
        stopping = (hosted.stop() for hosted in self.hosted())
        for error in await asyncio.gather(*stopping, return_exceptions=True):
            if error is not None:
                _log.error("a system did not stop in order", exc_info=error)

    def _begin(self, entry: SystemEntry) -> Member[H]:
        if self._stopped:
            raise shutting_down()
        member: Member[H] = Member(entry)
        self._members[entry.id] = member
        member.opening = asyncio.create_task(self._open(member))
        return member

    async def _open(self, member: Member[H]) -> None:
        """Open a source, again and again until it succeeds."""
        wait_s, entry = FIRST_RETRY_S, member.entry
        while True:
            try:
                member.hosted = await self._host(entry)
                member.problem = ""
                _log.info("system %s is watched", entry.id)
                return
            except SourceError as error:
                problem = str(error)
                if problem != member.problem:
                    _log.error("system %s has failed: %s", entry.id, problem)
            except Exception:
                problem = "internal error; the server's log has details"
                _log.exception("system %s has failed", entry.id)
            finally:
                member.tried.set()
            member.problem = problem
            await asyncio.sleep(wait_s)
            wait_s = min(2.0 * wait_s, MAX_RETRY_S)

    async def _stop_opening(self, member: Member[H]) -> None:
        if member.opening is not None:
            member.opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await member.opening
