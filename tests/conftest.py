"""What several suites need: real servers on free ports, and tools that must be there in CI."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from server.app import App, start
from server.ports import SourceFactory
from server.settings import Settings
from server.systems.entry import SystemEntry
from simulator.dynamics.load import Load

MISSING = "is not installed"

StartServer = Callable[..., Awaitable[App]]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts in the background so, and programs under test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # so does `nohup`
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def tool(*names: str) -> str:
    """Find a program, or skip the test; under CI a missing one is a failure."""
    extra = os.pathsep.join((os.environ.get("PATH", ""), str(Path.home() / "go" / "bin")))
    for name in names:
        found = shutil.which(name, path=extra)
        if found:
            return found
    raise missing(names[0])


def missing(program: str) -> BaseException:
    """What a test raises for want of a program: it is skipped, and under CI it fails."""
    outcome = pytest.fail if os.environ.get("CI") else pytest.skip
    return outcome.Exception(f"{program} {MISSING}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which programs were missed by how many tests, and what brings them."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)]
    missed = Counter(
        reason.removeprefix("Skipped: ").removesuffix(f" {MISSING}")
        for reason in reasons
        if reason.endswith(MISSING)
    )
    if missed:
        named = ", ".join(f"{name} ({count})" for name, count in sorted(missed.items()))
        terminalreporter.section("skipped")
        terminalreporter.line(f"Tests skipped because a program is not installed: {named}.")
        terminalreporter.line("To install them, on Debian and Ubuntu: make test-tools")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of a run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[StartServer]:
    """Start real servers in this event loop; each on free ports, fast unless told otherwise.

    Each has a data directory of its own, unless `data` names one to be found again. For all of
    them it is Wednesday afternoon: how much is asked of a system depends on day and hour.
    """
    afternoon = Load(diurnal=True, hour=15.0, day=2)
    apps: list[App] = []

    async def starting(
        factory: SourceFactory | None = None,
        entries: Sequence[SystemEntry] | None = None,
        **settings: object,
    ) -> App:
        chosen = {
            "listen": "127.0.0.1:0",
            "metrics_listen": "127.0.0.1:0",
            "speed": 20.0,
            "data": folder / f"data-{len(apps)}",
            **settings,
        }
        app = await start(Settings(**chosen), factory, entries)  # type: ignore[arg-type]
        apps.append(app)
        return app

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("server.sources.simulation._load_at", lambda _: afternoon)
        yield starting
        for app in apps:
            await app.stop()


@pytest_asyncio.fixture
async def start_server(tmp_path: Path) -> AsyncIterator[StartServer]:
    """Start servers for one test."""
    async with servers(tmp_path) as starting:
        yield starting
