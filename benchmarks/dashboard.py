"""The dashboard in a real headless Chromium: first paint, scripting per update, memory, many tabs.

`make bench` runs the short ones. `python -m benchmarks.dashboard memory [MINUTES]` watches the
memory of one tab.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from websockets.asyncio.client import connect
from websockets.typing import Origin

from benchmarks.programs import Program, running, server
from benchmarks.subscribers import topology
from sre_edge import Client

PAINT_LIMIT_S = 2.0
UPDATE_LIMITS_MS = {4: 30.0, 100: 60.0, 1000: 250.0}
GROWTH_LIMIT = 0.20
TABS, TABS_S, CORE_LIMIT = 50, 20.0, 1.0
UPDATES, LOADS = 20, 5
TICK_S = 2.0


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
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


def first_paint(browser: Browser, url: str) -> list[float]:
    """Seconds from the request to the cards of the services, each with an empty cache."""
    found = []
    for _ in range(LOADS):
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        page = context.new_page()
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_selector("#services .card, #graph-note:not(:empty)")
        found.append(time.perf_counter() - began)
        context.close()
    return found


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
    page.wait_for_selector("#services .card")
    page.wait_for_timeout(1000.0 * wait_s)
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    return page, session


def updates(browser: Browser) -> None:
    """First paint and scripting at three sizes."""
    for services, limit in UPDATE_LIMITS_MS.items():
        with dashboard(services) as (target, url, _), Client(target) as client:
            names = [service.name for service in client.topology().services]
            paints = first_paint(browser, url)
            print(
                f"{services:>5} services: first useful paint {median(paints):.2f} s "
                f"(of {min(paints):.2f} to {max(paints):.2f}; at most {PAINT_LIMIT_S:g} s)"
            )
            for name, path in (("overview", "/"), ("with a service open", "/?service=%s")):
                page, session = opened(browser, url + path.replace("%s", names[0]))
                times = scripting(page, session, UPDATES)
                client.set_clock(paused=True)
                page.wait_for_timeout(1000.0 * 2 * TICK_S)
                idle = median(scripting(page, session, UPDATES // 3))
                client.set_clock(paused=False)
                print(
                    f"{'':>15} {name}: {median(times) - idle:.0f} ms of script an update "
                    f"(most {max(times) - idle:.0f}; at most {limit:g} ms), beside {idle:.0f} ms "
                    f"in {TICK_S:g} s without any: Cytoscape draws in a loop"
                )
                page.context.close()


async def tab(url: str, got: list[int]) -> None:
    """Be a tab that draws at once: the dashboard's part of the work, without a browser's."""
    address = url.replace("http", "ws") + "/live"
    async with connect(address, origin=Origin(url)) as socket:
        await socket.send("/?service=database")
        async for message in socket:
            if message != "{}":
                got.append(len(message))
                await socket.send("drawn")


async def watched(url: str, program: Program) -> tuple[float, int]:
    """Share of a core that the dashboard takes for `TABS` tabs, and updates that they got."""
    got: list[int] = []
    opened_tabs = [asyncio.create_task(tab(url, got)) for _ in range(TABS)]
    await asyncio.sleep(6.0)
    got.clear()
    before, began = program.cpu_s, time.perf_counter()
    await asyncio.sleep(TABS_S)
    share = (program.cpu_s - before) / (time.perf_counter() - began)
    for one in opened_tabs:
        one.cancel()
    await asyncio.gather(*opened_tabs, return_exceptions=True)
    return share, len(got)


def tabs() -> None:
    """Measure what many tabs cost the dashboard, and count its streams on the server."""
    with dashboard() as (target, url, program), Client(target) as client:
        share, updates_got = asyncio.run(watched(url, program))
        streams = client.info().figures.streams
        print(
            f"{TABS} tabs: {share:.2f} of a core in the dashboard (under {CORE_LIMIT:g}), "
            f"{updates_got} updates in {TABS_S:g} s; "
            f"{streams} stream of snapshots on the server"
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
    """Run what the command line asks for; by default all but the memory of half an hour."""
    what = sys.argv[1:] or ["updates", "tabs"]
    if "tabs" in what:
        tabs()
    with chromium() as browser:
        if "updates" in what:
            updates(browser)
        if what[0] == "memory":
            memory(browser, float(what[1]) if len(what) > 1 else 30.0)


if __name__ == "__main__":
    main()
