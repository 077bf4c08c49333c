"""Opens the systems of a server: those of its settings, and those that were added by calls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Histogram

from server.experiments.kill_switch import KillSwitch
from server.learning.learning import Learning
from server.learning.recorder import ExperimentRecorder
from server.pipeline.budgets import SloSettings
from server.pipeline.clock import Clock
from server.ports import SourceFactory
from server.rpc.broadcast import Broadcaster
from server.rpc.event_feed import EventFeed
from server.rpc.hosted_system import HostedSystem, Systems
from server.rpc.stream_slots import StreamSlots
from server.settings import Settings, SettingsError
from server.sources.entries import read_file, stored
from server.sources.kinds import Folders
from server.sources.recording import recording
from server.sources.simulation import simulation
from server.store import Store, systems
from server.systems.entry import SourceKind, SystemEntry
from server.systems.repository import Repository
from server.systems.system import System
from server.systems.ticker import Ticker
from telemetry.document import DocumentError

OPENING_THREADS = 2
_log = logging.getLogger(__name__)


def entries_of(settings: Settings) -> list[SystemEntry] | None:
    """Read the systems file of the settings; None if there is none.

    Raises
    ------
    SettingsError
        If it cannot be used.
    """
    if settings.systems is None:
        return None
    try:
        return read_file(settings.systems)
    except DocumentError as error:
        raise SettingsError(str(error)) from error


def only_entry(settings: Settings, factory: SourceFactory | None) -> SystemEntry:
    """Make the entry of the one system of a server without a systems file.

    Raises
    ------
    SourceError
        If its recording or its topology cannot be used.
    """
    if factory is not None:
        kind, opened = SourceKind.OTHER, factory
    elif settings.recording is not None:
        kind, opened = SourceKind.RECORDING, recording(settings.recording)
    else:
        kind, opened = SourceKind.SIMULATION, simulation(settings.topology, settings.seed)
    return SystemEntry(lambda: opened, kind=kind, speed=settings.speed, default=True)


async def open_systems(
    fleet: Systems,
    only: SystemEntry | None,
    entries: Sequence[SystemEntry] | None,
    store: Store,
    folders: Folders,
) -> None:
    """Begin to watch the systems of the settings, and those that were added by calls.

    Raises
    ------
    SourceError
        If the only system cannot be opened.
    """
    if only is not None:
        await fleet.open_only(only)
    known = {entry.id for entry in entries or ()} | {member.entry.id for member in fleet}
    chosen = list(entries or ())
    for stated in await asyncio.to_thread(store.read, systems.entries):
        try:
            entry = stored(stated, folders)
        except DocumentError as error:
            _log.error("a system that was added cannot be used and is left out: %s", error)
            continue
        if entry.id in known:
            _log.error("system %s was added by a call, but the settings have one of this id: the "
                       "added one is left out; to forget it: sre-edge systems remove %s",
                       entry.id, entry.id)  # fmt: skip
        else:
            chosen.append(entry)
    await fleet.start(chosen)


def check_ids(entries: Sequence[SystemEntry], fleet: Systems) -> None:
    """Check that no entry of a systems file has the id of a system that was added by a call.

    Raises
    ------
    SettingsError
        If one has.
    """
    added = {member.entry.id for member in fleet if member.entry.added}
    if both := [entry.id for entry in entries if entry.id in added]:
        raise SettingsError(
            f"expected ids of its own, but there are systems that were added by calls: "
            f"{', '.join(both)}"
        )


class Host:
    """Opens the source of an entry, and begins to watch it.

    Attributes
    ----------
    settings, store, learning, for_all, seconds
        Settings, database, learning mode, the kill switch for all systems, and the histogram of
        how long a tick takes.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        learning: Learning,
        for_all: KillSwitch,
        seconds: Histogram,
    ) -> None:
        self._settings, self._store, self._learning = settings, store, learning
        self._for_all, self._seconds = for_all, seconds
        # Threads of its own: many sources that are opened must not hold up calls.
        self._threads = ThreadPoolExecutor(OPENING_THREADS, thread_name_prefix="open")
        self._snapshot_slots = StreamSlots(settings.max_streams)
        self._event_slots = StreamSlots(settings.max_streams)

    async def __call__(self, entry: SystemEntry) -> HostedSystem:
        """Open the source; raises `SourceError` if that fails."""
        repository = Repository(self._store, entry.id)
        recorder = self._learning.recorder(entry.id)
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(self._threads, self._system, entry, repository, recorder)
        try:
            system = await asyncio.shield(opening)
        except asyncio.CancelledError:
            await self._abandon(opening)
            self._learning.forget(entry.id)
            raise
        except Exception:
            self._learning.forget(entry.id)
            raise
        self._learning.serve(entry.id, system)
        broadcaster = Broadcaster(system.history, self._snapshot_slots, system.clock)
        return HostedSystem(
            system,
            repository,
            broadcaster,
            EventFeed(system.events, self._event_slots, entry.id),
            Ticker(system, broadcaster, self._seconds),
            forget=lambda: self._learning.forget(entry.id),
        )

    def close(self) -> None:
        """Open no more sources."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _abandon(self, opening: asyncio.Future[System]) -> None:
        """End a system that nobody wants any more, once its thread has opened it."""
        if opening.cancel():
            return
        with contextlib.suppress(Exception):
            system = await opening
            await asyncio.to_thread(system.end)

    def _system(
        self, entry: SystemEntry, repository: Repository, recorder: ExperimentRecorder
    ) -> System:
        """Make the system, with the stored state of earlier runs; may take seconds."""
        settings, learning = self._settings, self._learning
        slos = SloSettings(settings.slo_scale, settings.slo_min_rps)
        return System(
            entry.connect(),
            learning.models.live_at_start(entry.id),
            history=settings.history,
            max_faults=settings.max_faults,
            persistence=repository.open(slos, self._for_all),
            clock=Clock(speed=entry.speed),
            observer=recorder.observe,
            system_id=entry.id,
        )
