"""Time: live, paused, fast, frozen, and back in the history."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from sre_edge import Client
from tests.e2e.conftest import live

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh")]


def simulated(page: Page) -> str:
    return page.locator("#clock-bar time").inner_text()


def test_the_clock_pauses_for_everyone_after_asking(page: Page, url: str, client: Client) -> None:
    page.goto(url)
    live(page)
    page.get_by_role("button", name="Pause the simulated clock").click()
    expect(page.get_by_role("dialog")).to_contain_text("for everyone")
    page.locator("#confirm").click()
    expect(page.get_by_role("button", name="Resume the simulated clock")).to_be_visible()
    assert client.info().clock.paused
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Pause the simulated clock")).to_be_visible()
    page.locator("#speed").select_option("10")
    expect(page.locator("#toasts")).to_contain_text("10 times real time")
    assert client.info().clock.speed == 10.0


def test_a_view_freezes_while_the_simulation_goes_on(page: Page, url: str) -> None:
    page.goto(url)
    live(page)
    page.keyboard.press(".")
    expect(page.locator("#connection")).to_have_text("history")
    expect(page).to_have_url(re.compile("at="))
    first = simulated(page)
    page.wait_for_timeout(1000)
    assert simulated(page) == first
    page.keyboard.press(".")
    live(page)
    expect(page.locator("#clock-bar time")).not_to_have_text(first)


def test_an_incident_is_replayed_on_the_graph(page: Page, url: str, client: Client) -> None:
    page.goto(url)
    live(page)
    client.set_clock(speed=60.0)
    began = client.metrics().time.seconds
    while client.metrics().time.seconds < began + 90:  # a past that is longer than a minute
        page.wait_for_timeout(100)
    client.inject("database", "service_kill", duration_s=60)
    page.goto(f"{url}/incidents")
    of_this_run = page.locator("#incidents tbody tr", has=page.locator("td:first-child a"))
    expect(of_this_run.first).to_contain_text("recovered")
    of_this_run.first.locator("a").first.click()
    expect(page.locator("#connection")).to_have_text("history")
    expect(page.locator("#notices")).to_contain_text("History")
    expect(page.locator("#services")).to_contain_text("down")
    shown = simulated(page)
    page.get_by_role("button", name="A minute back").click()
    expect(page.locator("#clock-bar time")).not_to_have_text(shown)
    expect(page.locator("#services")).not_to_contain_text("down")
    link = page.url
    page.get_by_role("button", name="Replay from here").click()
    expect(page.locator("#clock-bar time")).not_to_have_text(simulated(page))
    # The link shows the same moment to somebody else.
    again = page.context.new_page()
    again.goto(link)
    expect(again.locator("#connection")).to_have_text("history")
    page.get_by_role("link", name="Back to live").click()
    live(page)


def test_a_moment_that_is_gone_is_said(page: Page, url: str) -> None:
    page.goto(f"{url}/?at=2001-01-01T00:00:00Z")
    expect(page.locator("#notices")).to_contain_text("This moment cannot be shown")
    page.get_by_role("link", name="Back to live").click()
    live(page)


def test_the_time_range_is_in_the_address(page: Page, url: str) -> None:
    page.goto(url)
    live(page)
    page.locator("#range").select_option("15m")
    expect(page).to_have_url(re.compile("range=15m"))
    page.reload()
    expect(page.locator("#range")).to_have_value("15m")
