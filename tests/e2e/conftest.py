"""A real headless Chromium, a real server and a real dashboard, shared by the tests that can."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from sre_edge import Client
from tests import processes
from tests.conftest import tool

SPEED = 20.0  # a tick is a tenth of a second
PATIENCE_MS = int(os.environ.get("PATIENCE_MS", 30_000))
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Open a browser for these tests alone: while it is, no event loop runs in this thread."""
    executable = tool("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        # Its own sandbox needs rights that a root user in a container does not have.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def target() -> Iterator[str]:
    with processes.server(speed=SPEED) as address:
        yield address


@pytest.fixture(scope="package")
def url(target: str) -> Iterator[str]:
    with processes.dashboard(target) as address:
        yield address


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target) as client:
        yield client


@pytest.fixture
def fresh(client: Client) -> None:
    """Begin a new run, going and without faults."""
    client.lift_kill_switch()
    client.set_clock(paused=False, speed=SPEED)
    client.reset()


def watched(context: BrowserContext, errors: list[str]) -> Page:
    """Open a page whose console is read."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    return page


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page whose console must stay free of errors."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    errors: list[str] = []
    yield watched(context, errors)
    context.close()
    assert not errors


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """Open a page as on a phone."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    errors: list[str] = []
    yield watched(context, errors)
    context.close()
    assert not errors


def live(page: Page) -> None:
    """Wait until a page shows what happens now."""
    expect(page.locator("#connection")).to_have_text("live")


def percent(text: str) -> int:
    found = re.search(r"(\d+)", text)
    return int(found[1]) if found else 0
