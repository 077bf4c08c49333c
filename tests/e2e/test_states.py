"""Every state of a panel, seen in a browser: loading, empty, stale, error, disconnected."""

from __future__ import annotations

import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Route, expect

from dashboard.app import build
from dashboard.settings import Settings
from dashboard.source.state import Records, State
from sre_edge.v1 import snapshot_pb2
from tests import processes
from tests.dashboard.fakes import FakeProvider, records, snapshot, state
from tests.e2e.conftest import SPEED, live

pytestmark = pytest.mark.browser


class Shown(FakeProvider):
    """A provider whose state a test replaces while a browser looks at it."""

    def __init__(self, known: State) -> None:
        super().__init__(known)
        self.listeners: set[Callable[[], None]] = set()

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.listeners.add(changed)
        return lambda: self.listeners.discard(changed)

    def show(self, known: State) -> None:
        self.state = known
        for changed in tuple(self.listeners):
            changed()


@pytest.fixture
def shown(page: Page) -> Iterator[tuple[Shown, str]]:
    provider = Shown(State())
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build(provider, Settings()), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield provider, f"http://127.0.0.1:{listening.getsockname()[1]}"
    page.goto("about:blank")  # before what it still loads is gone
    server.should_exit = True
    thread.join(10)
    listening.close()


def test_loading_empty_error_stale_and_disconnected(page: Page, shown: tuple[Shown, str]) -> None:
    provider, url = shown
    page.goto(f"{url}/incidents")
    # Nothing is known yet: places of their size, and why.
    expect(page.locator("#incidents .skeleton")).to_be_visible()
    expect(page.locator("#notices")).to_contain_text("No connection to the server: connecting")
    # There, and empty.
    provider.show(state(snapshot(1), records=records(incidents=[]), version=1))
    expect(page.locator("#incidents")).to_contain_text("No incident so far")
    expect(page.locator("#events")).to_contain_text("Nothing has happened in this run yet")
    # A list fails: it says so where it is, and can be asked for again.
    failed = Records(incidents=[], problems={"incidents": "the records cannot be read"})
    provider.show(state(snapshot(2), records=failed, version=2))
    expect(page.locator("#incidents .problem")).to_contain_text("the records cannot be read")
    page.locator("#incidents").get_by_role("button", name="Try again").click()
    page.wait_for_function("() => true")
    expect(page.locator("#connection")).to_have_text("live")
    provider.show(state(snapshot(3), records=records(), version=3))
    expect(page.locator("#incidents tbody")).to_contain_text("database")
    assert ("refresh", "incidents") in provider.asked
    # The server goes: old values are marked as such, and nothing can be done.
    page.goto(url)
    expect(page.locator("#services .card").first).to_be_visible()
    provider.show(state(snapshot(3), connected=False, records=records(), version=4))
    expect(page.locator("#notices")).to_contain_text("Last update")
    expect(page.locator("#services .values.stale").first).to_be_visible()
    expect(page.locator("#services")).to_contain_text("unknown")
    expect(page.locator("#reset")).to_be_disabled()
    expect(page.locator("#speed")).to_be_disabled()


def test_the_page_tells_how_things_are_before_dash_is_there(
    page: Page, shown: tuple[Shown, str]
) -> None:
    provider, url = shown
    provider.show(state(snapshot(1), version=1))
    held: list[Route] = []
    page.route("**/_dash-component-suites/**", lambda route: held.append(route))
    page.goto(f"{url}/?service=database", wait_until="commit")
    expect(page.locator("#services .card")).to_have_count(4)
    expect(page.locator("#service-body")).to_contain_text("Called by")
    expect(page.locator("#connection")).to_have_text("live")
    page.get_by_role("button", name="Pause the simulated clock").click()
    page.locator("#confirm").click()  # waits for Dash, as graph and charts do
    assert ("set_clock", True, None) not in provider.asked
    assert held
    page.unroute("**/_dash-component-suites/**")  # lets go of what was held
    page.wait_for_function(
        "() => document.getElementById('graph')?._cyreg?.cy?.nodes().length === 4"
    )
    expect(page.locator("#toasts")).to_contain_text("is paused")
    assert ("set_clock", True, None) in provider.asked


def test_a_status_that_changes_moves_nothing_and_keeps_the_focus(
    page: Page, shown: tuple[Shown, str]
) -> None:
    provider, url = shown
    provider.show(state(snapshot(1), version=1))
    page.goto(url)
    card = page.locator("#services .card").last
    card.focus()
    name = card.get_attribute("data-service")
    for number in range(2, 6):
        down = snapshot(number, snapshot_pb2.STATUS_DOWN, 0.9)
        provider.show(state(down, version=number))
    expect(page.locator(f"[data-service='{name}']")).to_contain_text("down")
    expect(page.locator(f"[data-service='{name}']")).to_be_focused()


def test_text_of_a_server_is_never_read_as_html(page: Page, shown: tuple[Shown, str]) -> None:
    provider, url = shown
    wild = "<img src=x onerror=alert(1)>"
    failed = Records(problems={"incidents": wild})
    provider.show(state(snapshot(1), records=failed, version=1))
    page.goto(f"{url}/incidents")
    expect(page.locator("#incidents .problem")).to_contain_text(wild)
    assert page.locator("#incidents img").count() == 0


@pytest.fixture
def free_address() -> str:
    return f"127.0.0.1:{processes.free_port()}"


def test_a_server_that_goes_and_comes_back_needs_no_reload(page: Page, free_address: str) -> None:
    with processes.dashboard(free_address) as url:
        page.goto(url)
        expect(page.locator("#services")).to_contain_text("Waiting for the server")
        with processes.server(listen=free_address, speed=SPEED):
            expect(page.locator("#services .card")).to_have_count(4)
            live(page)
            page.evaluate("window.stillTheSamePage = true")
        expect(page.locator("#notices")).to_contain_text("No connection to the server")
        expect(page.locator("#connection")).to_have_text("disconnected")
        expect(page.locator("#services")).to_contain_text("unknown")
        # Another system at the same address: the page follows.
        with processes.server(listen=free_address, speed=SPEED, SRE_EDGE_TOPOLOGY="boutique"):
            expect(page.locator("#connection")).to_have_text("live")
            expect(page.locator("#services .card")).to_have_count(11)
            expect(page.locator("#notices")).to_be_empty()
        assert page.evaluate("window.stillTheSamePage") is True
        page.goto("about:blank")


def test_a_dashboard_that_goes_is_said_and_found_again(browser: Browser, free_address: str) -> None:
    listen = {"SRE_EDGE_DASHBOARD_LISTEN": free_address}
    context = browser.new_context()  # its console tells of the lost connection
    page = context.new_page()
    program = processes.Program("-m", "dashboard", "--target", "127.0.0.1:1", **listen)
    program.expect("dashboard")
    page.goto(f"http://{free_address}")
    expect(page.locator("#notices")).to_contain_text("No connection")
    program.stop()
    expect(page.locator("#app")).to_have_class("app lost")
    program = processes.Program("-m", "dashboard", "--target", "127.0.0.1:1", **listen)
    program.expect("dashboard")
    expect(page.locator("#app")).to_have_class("app")
    program.stop()
    context.close()


def test_the_token_of_the_server_never_reaches_the_browser(page: Page, tmp_path: Path) -> None:
    token = secrets.token_urlsafe(32)
    file = tmp_path / "token"
    file.write_text(token)
    file.chmod(0o600)
    seen: list[str] = []
    page.on("response", lambda answer: seen.append(json.dumps(dict(answer.headers))))
    page.on(
        "websocket",
        lambda opened: opened.on("framereceived", lambda payload: seen.append(str(payload))),
    )
    with (
        processes.server(speed=SPEED, SRE_EDGE_TOKEN_FILE=str(file)) as target,
        processes.dashboard(target) as refused,
        processes.dashboard(target, SRE_EDGE_TOKEN_FILE=str(file)) as url,
    ):
        page.goto(refused)
        expect(page.locator("#notices")).to_contain_text("token")
        page.goto(f"{url}/architecture?service=database")
        live(page)
        expect(page.locator("#figures")).to_contain_text("Tick rate")
        seen.append(page.content())
        page.goto("about:blank")
    assert not [one for one in seen if token in one]


def test_a_frozen_server_is_said_in_every_view_and_so_is_its_return(page: Page) -> None:
    with (
        processes.server_program(speed=SPEED) as (target, program),
        processes.dashboard(target) as url,
    ):
        page.goto(f"{url}/?service=database")  # its panel asks the server for more
        live(page)
        with processes.frozen(program):
            expect(page.locator("#notices")).to_contain_text(f"no sign of life from {target}")
            expect(page.locator("#connection")).to_have_text("disconnected")
            expect(page.locator("#health-bar")).to_contain_text("unknown")
            expect(page.locator("#services .card", has_text="unknown")).to_have_count(4)
            expect(page.locator("#service-head")).to_contain_text("unknown")
            page.wait_for_function(
                "() => document.getElementById('graph')?._cyreg?.cy?.nodes('.unknown').length === 4"
            )
            page.goto(f"{url}/predictions")  # a page that is opened now
            expect(page.locator("#notices")).to_contain_text("no sign of life")
        live(page)
        expect(page.locator("#notices")).to_be_empty()
        page.goto("about:blank")


def test_a_frozen_dashboard_is_said_by_the_page_itself(browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    program = processes.Program(
        "-m", "dashboard", "--listen", "127.0.0.1:0", "--target", "127.0.0.1:1"
    )
    page.goto(program.expect(r"dashboard +(\S+)")[1])
    expect(page.locator("#notices")).to_contain_text("No connection")
    with processes.frozen(program):
        expect(page.locator("#app")).to_have_class("app lost")
        expect(page.locator("#connection")).to_have_text("disconnected")
    expect(page.locator("#app")).to_have_class("app")
    context.close()
    program.stop()


def test_a_system_without_new_data_is_stale(page: Page, shown: tuple[Shown, str]) -> None:
    provider, url = shown
    known = state(snapshot(1), version=1)
    provider.show(known)
    page.goto(url)
    live(page)
    stale = "no new data since 12:00:07 UTC: nobody answers"
    provider.show(replace(known, stale=stale, version=2))
    expect(page.locator("#connection")).to_have_text("stale")
    expect(page.locator("#notices")).to_contain_text(f"out of date: {stale}")
    expect(page.locator("#services .card", has_text="unknown")).to_have_count(4)
    provider.show(state(snapshot(2), version=3))
    live(page)


def test_times_are_in_utc_and_say_so_wherever_somebody_looks(
    browser: Browser, page: Page, shown: tuple[Shown, str]
) -> None:
    provider, url = shown
    provider.show(state(snapshot(1), version=1))
    context = browser.new_context(timezone_id="America/New_York")
    elsewhere = context.new_page()
    for looking in (page, elsewhere):
        looking.goto(url)
        time = looking.locator("#clock-bar time")
        expect(time).to_have_text(re.compile(r"^(2026-11-23 )?12:00:0\d UTC$"))
    expect(time).to_have_attribute("title", re.compile("^Nov 23, 2026, 7:00:0. AM EST$"))
    context.close()
