"""The dashboard in a real headless Chromium: paint, scripting, tabs, recovery, memory.

`python -m benchmarks.dashboard` prints its figures, and with `memory [MINUTES]` how the memory of
one tab grows.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from websockets.asyncio.client import connect
from websockets.typing import Origin

from benchmarks.figures import Curve, Part, UnavailableError, limited, progress
from benchmarks.programs import Program, running, server
from benchmarks.report import show
from benchmarks.subscribers import topology
from sre_edge import Client

PAINT_LIMIT_S = 2.0
UPDATE_LIMITS_MS = {4: 30.0, 100: 60.0, 1000: 250.0}
GROWTH_LIMIT = 0.20
TABS, WINDOW_S, WINDOWS, CORE_LIMIT = (10, 25, 50), 6.0, 4, 1.0
QUICK_WINDOW_S = 2.5  # a tick or two
REAL_TABS = 8
"""As many tabs as two cores draw: each draws sixty times a second, whatever comes."""
RECOVERY_LIMIT_S, RECOVERIES, AWAY_S = 5.0, 3, 10.0
UPDATES, LOADS = 20, 5
TICK_S, PATIENCE_MS = 2.0, 120_000
GRAPH = "() => document.getElementById('graph')?._cyreg?.cy?.nodes().length > 0"
DRAWN = "#services .card, #graph-note:not(:empty)"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium.

    Raises
    ------
    UnavailableError
        There is none.
    """
    if (found := shutil.which("chromium")) is None:
        raise UnavailableError("What a browser does was not measured: there is no Chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--enable-precise-memory-info"],
        )
        yield browser
        browser.close()


@contextmanager
def dashboard(services: int = 4) -> Iterator[tuple[str, str, Program]]:
    """Run a server with so many services and a dashboard; gives target, URL and the dashboard."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        system = ("--topology", str(topology(folder, services))) if services > 4 else ()
        with server(folder / "data", *system) as serving:
            target = f"127.0.0.1:{serving.port}"
            command = (sys.executable, "-m", "dashboard", "--listen", "127.0.0.1:0")
            pattern = r"http://127\.0\.0\.1:(\d+)"
            with running(*command, "--target", target, pattern=pattern) as program:
                yield target, f"http://127.0.0.1:{program.port}", program


def first_paint(browser: Browser, url: str, loads: int = LOADS) -> tuple[list[float], list[float]]:
    """Seconds from the request to the cards of the services, and to the graph; an empty cache."""
    found, graphs = [], []
    for _ in range(loads):
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        page = context.new_page()
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_selector(DRAWN, timeout=PATIENCE_MS)
        found.append(time.perf_counter() - began)
        page.wait_for_function(GRAPH, timeout=PATIENCE_MS)
        graphs.append(time.perf_counter() - began)
        context.close()
    return found, graphs


def scripting(page: Page, session: CDPSession, count: int) -> list[float]:
    """Milliseconds of script in each of some ticks' time, the browser's own figure."""
    found = []
    for _ in range(count):
        before = spent(session)
        page.wait_for_timeout(1000.0 * TICK_S)
        found.append(1000.0 * (spent(session) - before))
    return found


def spent(session: CDPSession) -> float:
    """Seconds of script since the page was opened."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "ScriptDuration")


def heap_mb(session: CDPSession) -> float:
    """Measure what the page holds after a garbage collection."""
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize") / 1e6


def opened(browser: Browser, url: str, wait_s: float = 6.0) -> tuple[Page, CDPSession]:
    """Open a page and let it come to rest."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#services .card", timeout=PATIENCE_MS)
    page.wait_for_timeout(1000.0 * wait_s)
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    return page, session


def updates(browser: Browser, *, quick: bool = False) -> Part:
    """First paint and scripting at three sizes."""
    figures, points, notes = [], [], []
    limits = list(UPDATE_LIMITS_MS.items())
    ticks, loads = (2, 1) if quick else (UPDATES, LOADS)
    for services, limit in limits[: 2 if quick else None]:
        progress(f"dashboard: {services:,} services")
        with dashboard(services) as (target, url, _), Client(target) as client:
            one = client.topology().services[0].name
            paints, graphs = first_paint(browser, url, loads)
            notes.append(f"{services:,} services: the graph after {median(graphs):.2f} s.")
            name = f"first useful paint, {services:,} services"
            figures.append(limited(name, paints, "s", PAINT_LIMIT_S))
            for view, path in (("overview", "/"), ("a service open", f"/?service={one}")):
                page, session = opened(browser, url + path)
                busy = scripting(page, session, ticks)
                client.set_clock(paused=True)
                page.wait_for_timeout(1000.0 * 2 * TICK_S)
                # Cytoscape draws in a loop, whatever the server sends.
                idle = median(scripting(page, session, max(2, ticks // 3)))
                client.set_clock(paused=False)
                page.context.close()
                times = [max(0.0, spent - idle) for spent in busy]
                name = f"script for an update, {view}, {services:,} services"
                figures.append(limited(name, times, "ms", limit))
        points.append((float(services), max(0.01, median(times))))
    curve = Curve("script for an update, a service open", "ms", "services", tuple(points))
    return Part("Dashboard in a browser", figures, [curve], notes)


async def tab(url: str, got: list[int]) -> None:
    """Be a tab that draws at once: the dashboard's part of the work, without a browser's."""
    address = url.replace("http", "ws") + "/live"
    async with connect(address, origin=Origin(url)) as socket:
        await socket.send("/?service=database")
        async for message in socket:
            if message != "{}":
                got.append(len(message))
                await socket.send("drawn")


async def watched(
    url: str, program: Program, tabs: int, windows: int, window_s: float
) -> tuple[list[float], int]:
    """Shares of a core that the dashboard takes for so many tabs, and updates that they got."""
    got: list[int] = []
    opened_tabs = [asyncio.create_task(tab(url, got)) for _ in range(tabs)]
    await asyncio.sleep(window_s)  # until they are all there
    got.clear()
    shares = []
    for _ in range(windows):
        before, began = program.cpu_s, time.perf_counter()
        await asyncio.sleep(window_s)
        shares.append((program.cpu_s - before) / (time.perf_counter() - began))
    for one in opened_tabs:
        one.cancel()
    await asyncio.gather(*opened_tabs, return_exceptions=True)
    return shares, len(got)


def many_tabs(*, quick: bool = False) -> Part:
    """Measure what tabs cost the dashboard, and count its streams on the server."""
    points = []
    counts, windows = (TABS[:2], 1) if quick else (TABS, WINDOWS)
    window_s = QUICK_WINDOW_S if quick else WINDOW_S
    with dashboard() as (target, url, program), Client(target) as client:
        for count in counts:
            progress(f"dashboard: {count} tabs")
            shares, got = asyncio.run(watched(url, program, count, windows, window_s))
            points.append((float(count), max(0.001, median(shares))))
        streams = client.info().figures.streams
    return Part(
        "Dashboard, many tabs",
        [limited(f"CPU of the dashboard, {count} tabs", shares, "of a core", CORE_LIMIT)],
        [Curve("CPU of the dashboard", "share of a core", "tabs", tuple(points))],
        [f"They got {got} updates in {windows * window_s:g} s; streams of snapshots on the server: "
         f"{streams}."],
    )  # fmt: skip


def real_tabs(browser: Browser, *, quick: bool = False) -> Part:
    """Measure the most tabs again, some of them in a browser."""
    count, windows = TABS[-1], 1 if quick else WINDOWS
    window_s = QUICK_WINDOW_S if quick else WINDOW_S
    progress(f"dashboard: {count} tabs, {REAL_TABS} of them in a browser")
    with dashboard() as (_, url, program):
        pages = [opened(browser, f"{url}/?service=database", 1.0)[0] for _ in range(REAL_TABS)]
        with ThreadPoolExecutor(1) as pool:  # this thread is the browser's
            others = count - REAL_TABS
            measuring = watched(url, program, others, windows, window_s)
            found = pool.submit(asyncio.run, measuring)
            while not found.done():
                pages[0].wait_for_timeout(200)
        for page in pages:
            page.context.close()
    name = f"CPU of the dashboard, {count} tabs, {REAL_TABS} of them real"
    return Part("", [limited(name, found.result()[0], "of a core", CORE_LIMIT)])


def recovery(browser: Browser, *, quick: bool = False) -> Part:
    """Seconds from when a server listens again to when the page is live again, by itself."""
    progress("dashboard: a server that goes and comes back")
    command = (sys.executable, "-m", "dashboard", "--listen", "127.0.0.1:0", "--target")
    pattern = r"http://127\.0\.0\.1:(\d+)"
    found = []
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as first:
        listen = f"127.0.0.1:{first.port}"
        with running(*command, listen, pattern=pattern) as program:
            page, _ = opened(browser, f"http://127.0.0.1:{program.port}", 1.0)
            first.stop()
            for _ in range(1 if quick else RECOVERIES):
                page.wait_for_selector("#connection.disconnected", timeout=PATIENCE_MS)
                away_s = 1.0 if quick else AWAY_S  # the waits between tries grow
                page.wait_for_timeout(1000.0 * away_s)
                with server(Path(name), "--listen", listen):
                    began = time.perf_counter()
                    page.wait_for_selector("#connection.live", timeout=PATIENCE_MS)
                    found.append(time.perf_counter() - began)
            page.context.close()
    return Part("", [limited("live again after a server is back", found, "s", RECOVERY_LIMIT_S)])


def measure(*, quick: bool = False) -> Part:
    """Measure tabs without a browser, and what a browser shows."""
    parts = [many_tabs(quick=quick)]
    try:
        with chromium() as browser:
            parts += [part(browser, quick=quick) for part in (real_tabs, recovery, updates)]
    except UnavailableError as error:
        parts.append(Part("", [], notes=[str(error)]))
    return Part(
        "Dashboard",
        [figure for part in parts for figure in part.figures],
        [curve for part in parts for curve in part.curves],
        [note for part in parts for note in part.notes],
    )


def memory(browser: Browser, minutes: float) -> None:
    """Growth of the browser's heap, after five minutes of warm-up if there are as many."""
    with dashboard() as (_, url, _):
        page, session = opened(browser, f"{url}/?service=database")
        warm = min(5.0, minutes / 4)
        page.wait_for_timeout(60_000 * warm)
        first = heap_mb(session)
        for minute in range(1, round(minutes - warm) + 1):
            page.wait_for_timeout(60_000)
            now = heap_mb(session)
            print(
                f"after {warm + minute:.0f} min: {now:.1f} MB ({now / first - 1:+.0%})", flush=True
            )
        print(f"limit: +{GROWTH_LIMIT:.0%}")


def main() -> None:
    """Print the figures, or watch the memory of a tab."""
    if sys.argv[1:2] != ["memory"]:
        show(measure())
        return
    with chromium() as browser:
        memory(browser, float(sys.argv[2]) if len(sys.argv) > 2 else 30.0)


if __name__ == "__main__":
    main()
