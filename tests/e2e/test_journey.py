"""The whole way, as somebody on a game day goes it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from sre_edge import Client
from tests.e2e.conftest import live, percent

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh")]


def card(page: Page, service: str) -> Locator:
    return page.locator(f"#services [data-service='{service}']")


def drawn(page: Page) -> None:
    """Wait for the graph, which comes after the rest of the page."""
    page.wait_for_function("() => document.getElementById('graph')?._cyreg?.cy?.nodes().length > 0")


def click_node(page: Page, service: str) -> None:
    """Click a node of the canvas where it is drawn; again, if the page moved meanwhile."""
    for _ in range(5):
        place = page.evaluate(
            "id => graph._cyreg.cy.getElementById(id).renderedPosition()",
            service,
        )
        box = page.locator("#graph").bounding_box()
        assert box
        page.mouse.click(box["x"] + place["x"], box["y"] + place["y"])
        page.wait_for_timeout(1_000)
        if page.locator("#service").is_visible():
            return


def node(page: Page, service: str) -> dict[str, str]:
    found = page.evaluate(
        """id => { const n = document.getElementById('graph')._cyreg.cy.getElementById(id);
             return {label: n.data('label'), classes: n.classes().join(' '),
                     shape: n.style('shape'), place: JSON.stringify(n.position())}; }""",
        service,
    )
    return dict(found)


def test_open_select_inject_cascade_alarm_first_stop_recover_outcome(page: Page, url: str) -> None:
    # Open: all is well.
    page.goto(url)
    live(page)
    expect(page.locator("#banner")).to_contain_text("Healthy")
    for said in ("CPU", "Memory", "Latency", "Errors", "Throughput", "Availability"):
        expect(card(page, "database")).to_contain_text(said)
    drawn(page)
    before = node(page, "database")
    assert before["shape"] == "ellipse"

    # Select on the graph: the service opens, and is in the address.
    click_node(page, "database")
    expect(page.locator("#service-name")).to_have_text("database")
    expect(page).to_have_url(re.compile(r"\?service=database$"))
    expect(page.locator("#charts .js-plotly-plot .xy .scatterlayer path").first).to_be_attached()

    # Inject, slowly, what the form has chosen for the selected service.
    page.get_by_role("link", name="Chaos").click()
    expect(page.locator("#chaos-form input[value='database']")).to_be_checked()
    expect(page.locator("#chaos-effect")).to_contain_text("100 % of its replicas are down")
    page.locator("#chaos-form input[name='duration']").fill("1800")  # it is stopped
    page.locator("#chaos-form input[name='ramp']").fill("120")
    page.locator("#inject").click()
    expect(page.locator("#toasts")).to_contain_text("Injected service kill on database")
    expect(page.locator("#running")).to_contain_text("left")

    # The cascade.
    page.get_by_role("link", name="Overview").click()
    expect(card(page, "database")).to_contain_text("service kill")
    expect(page.locator("#banner")).to_contain_text("Critical")
    expect(card(page, "api-gateway")).to_contain_text(re.compile("degraded|down"))
    expect(page.locator("#banner")).to_contain_text("An incident is open")
    assert percent(page.locator("#system-risk").inner_text()) >= 60
    after = node(page, "database")
    assert "faulty" in after["classes"]
    assert after["place"] == before["place"]
    expect(page.locator("#timeline .fault .bar").first).to_be_visible()
    expect(page.locator("#timeline .incident .bar").first).to_be_visible()

    # The alarm came first.
    page.get_by_role("link", name="Incidents").click()
    expect(page.locator("#incidents tbody tr").first).to_contain_text("ahead")
    order = page.locator("#events .event").all_inner_texts()[::-1]
    alarm = next(i for i, text in enumerate(order) if "is expected" in text)
    opened = next(i for i, text in enumerate(order) if "began at" in text)
    assert alarm < opened, order

    # Stop, and recover.
    page.get_by_role("link", name="Chaos").click()
    page.locator("#running").get_by_role("button", name="Stop").click()
    expect(page.locator("#toasts")).to_contain_text("Stopped 1 fault")
    page.get_by_role("link", name="Overview").click()
    expect(page.locator("#banner")).to_contain_text("Healthy")

    # Read the outcome.
    page.get_by_role("link", name="Chaos").click()
    row = page.locator("#finished tbody tr").first
    expect(row).to_contain_text("service kill on database")
    expect(row).to_contain_text("ahead")
    row.get_by_role("link", name="service kill on database", exact=True).click()
    outcome = page.locator("#compared")
    expect(outcome).to_contain_text("What broke, in order")
    expect(outcome).to_contain_text("api-gateway after")
    expect(page).to_have_url(re.compile("compare=x-"))


def test_two_users_do_not_disturb_each_other(browser: Browser, url: str) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    pages = [context.new_page() for context in contexts]
    for page, service in zip(pages, ("database", "auth-service"), strict=True):
        page.goto(f"{url}/?service={service}")
    for page, service in zip(pages, ("database", "auth-service"), strict=True):
        expect(page.locator("#service-name")).to_have_text(service)
    card(pages[0], "api-gateway").click()
    expect(pages[0].locator("#service-name")).to_have_text("api-gateway")
    pages[0].get_by_role("link", name="Incidents").click()
    expect(pages[0].locator("#service-name")).to_have_text("api-gateway")
    expect(pages[1].locator("#service-name")).to_have_text("auth-service")
    expect(pages[1].locator("[data-view='overview'].view")).to_be_visible()
    for context in contexts:
        context.close()


def test_a_selection_is_kept_by_who_goes_on_before_the_answer(page: Page, url: str) -> None:
    page.goto(url)
    live(page)
    page.evaluate("""() => { document.querySelector("[data-service='auth-service']").click();
                              document.querySelector("[data-nav='chaos']").click(); }""")
    expect(page).to_have_url(re.compile(r"/chaos\?service=auth-service$"))
    expect(page.locator("#service-name")).to_have_text("auth-service")
    page.goto(f"{url}/services/database?range=15m", wait_until="commit")
    page.get_by_role("link", name="Incidents").click()
    expect(page).to_have_url(re.compile("/incidents\\?range=15m&service=database$"))


def test_reset_asks_and_brings_everything_back(page: Page, url: str, client: Client) -> None:
    client.inject("database", "service_kill", duration_s=3600)
    page.goto(url)
    expect(card(page, "api-gateway")).to_contain_text("down")
    page.locator("#reset").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("A new run starts for all users")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.locator("#reset").click()
    page.locator("#confirm").click()
    expect(card(page, "api-gateway")).to_contain_text("healthy")
    expect(page.locator("#banner")).to_contain_text("Healthy")
    assert not client.metrics().active_faults


def test_the_kill_switch_ends_everything_and_blocks(page: Page, url: str, client: Client) -> None:
    client.inject("database", "cpu_spike", duration_s=3600)
    page.goto(f"{url}/chaos")
    expect(page.locator("#running")).to_contain_text("cpu spike on database")
    page.locator("#kill-switch").click()
    expect(page.get_by_role("dialog")).to_contain_text("no new ones are accepted")
    page.locator("#confirm").click()
    expect(page.locator("#notices")).to_contain_text("The kill switch is on")
    page.locator("#inject").click()
    expect(page.locator("#chaos-message")).to_contain_text("kill switch")
    assert not client.metrics().active_faults
    page.locator("#kill-switch").click()
    page.locator("#confirm").click()
    expect(page.locator("#notices")).to_be_empty()


def test_several_faults_at_once_saved_and_loaded(page: Page, url: str, tmp_path: object) -> None:
    page.goto(f"{url}/chaos")
    form = page.locator("#chaos-form")
    form.get_by_label("auth-service", exact=True).check()
    form.get_by_label("CPU spike").check()
    form.locator("input[name='intensity']").fill("2")
    expect(page.locator("#chaos-effect")).to_contain_text("CPU spike: 60 % more CPU")
    with page.expect_download() as saving:
        form.get_by_role("button", name="Save as file").click()
    path = f"{tmp_path}/scenario.yaml"
    saving.value.save_as(path)
    page.locator("#inject").click()
    expect(page.locator("#toasts")).to_contain_text("Injected 4 faults")
    expect(page.locator("#running .faulty")).to_have_count(4)
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("Stopped 4 faults")

    page.get_by_text("Run a scenario file").click()
    page.locator("#scenario-form input[type='file']").set_input_files(path)
    expect(page.locator("#scenario-text")).to_have_value(re.compile("auth-service"))
    page.locator("#scenario-form").get_by_role("button", name="Run").click()
    expect(page.locator("#scenario-message")).to_contain_text("4 faults")
    page.locator("#scenario-text").fill("- name: wrong\n  faults: [{target: nobody}]")
    page.locator("#scenario-form").get_by_role("button", name="Run").click()
    expect(page.locator("#scenario-message")).to_contain_text("document")
    expect(page.locator("#scenario-text")).to_have_value(re.compile("nobody"))


def test_bad_input_is_said_in_place_and_what_was_typed_stays(page: Page, url: str) -> None:
    page.goto(f"{url}/chaos?service=user-service")
    intensity = page.locator("#chaos-form input[name='intensity']")
    intensity.fill("99")
    page.locator("#inject").click()
    expect(page.locator("#chaos-message")).to_contain_text("intensity: expected")
    expect(intensity).to_have_value("99")
    intensity.fill("1")
    page.locator("#chaos-form input[name='duration']").fill("")
    page.locator("#inject").click()
    expect(page.locator("#chaos-message")).to_contain_text("duration: expected")
