"""An operator's day at the page, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from midflight.testing import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("page")]


def wait_for_rate(service, rate):
    """Wait until a rate is in force."""
    wait_until(lambda: service.rate() == rate, seconds=10)


def plan_rate(page, rate):
    """Edit the rate of the module that is open, and ask for a plan."""
    text = page.get_by_label("Configuration, as YAML or JSON")
    text.fill(re.sub(r"(?m)^rate: .*", f"rate: {rate}", text.input_value()))
    page.get_by_role("button", name="Check and plan").click()


def log_in_by_form(page, token):
    """Type a token."""
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def change_rate(page, service, rate):
    """Edit the rate of the module, from any page, up to the notice of success."""
    page.goto("/modules/limiter")
    plan_rate(page, rate)
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Applied: generation")).to_be_visible()
    wait_for_rate(service, rate)


def test_an_edited_file_appears_without_a_reload(service, page):
    """The overview shows a new generation as soon as it is in force."""
    expect(page.get_by_role("heading", name="Healthy")).to_be_visible()
    page.evaluate("window.same = true")
    service.edit("rate: 100", "rate: 150")

    expect(page.locator("#announce")).to_have_text("Healthy, generation 2")
    expect(page).to_have_title("Healthy, generation 2 · Midflight")
    assert page.evaluate("window.same"), "the page was loaded anew"


def test_what_happens_while_a_page_opens_is_not_missed(service, open_page):
    """A change between its text and its stream is shown as soon as that is there."""
    page = open_page()

    def change(route):
        service.edit("rate: 100", "rate: 150")
        wait_for_rate(service, 150)
        route.continue_()

    page.route("**/page/events", change, times=1)
    page.goto("/")

    expect(page.locator("#announce")).to_have_text("Healthy, generation 2")


def test_a_refused_change_shows_its_reason(service, page):
    """Code, place and what the module said stand on the overview, up front."""
    service.edit("rate: 100", "rate: -4")

    refused = page.get_by_role("region", name="A change was refused")
    expect(refused).to_contain_text("E_PREPARE")
    expect(refused).to_contain_text("app.yaml:")
    expect(refused).to_contain_text("a rate below zero serves nobody")
    expect(page.get_by_role("heading", name="Rejected")).to_be_visible()
    assert service.rate() == 100


def test_a_module_shows_who_set_each_value(service, page):
    """Each key has its value, its place, and the value that it hides."""
    page.get_by_role("rowheader", name="limiter").get_by_role("link").click()

    row = page.get_by_role("row", name="rate 100")
    expect(row.first).to_contain_text("app.yaml:8:13")
    expect(row.first).to_contain_text("over 10 of defaults.yaml:4:")
    expect(page.get_by_text("as it should")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("open-sesame-now")


def test_a_module_that_is_open_follows_a_change(service, page):
    """Values and health are asked for again; an edit under way is left alone."""
    page.goto("/modules/limiter")
    expect(page.get_by_text("as it should, at 100")).to_be_visible()
    text = page.get_by_label("Configuration, as YAML or JSON")
    text.fill("rate: 7")
    service.edit("rate: 100", "rate: 150")

    expect(page.get_by_role("row", name="rate 150").first).to_be_visible()
    expect(page.get_by_text("as it should, at 150")).to_be_visible()
    assert text.input_value() == "rate: 7"


def test_an_edit_is_planned_applied_recorded_and_taken_back(service, page):
    """Edit, plan, apply, find it in the history, roll back."""
    page.goto("/modules/limiter")
    plan_rate(page, 250)
    outcome = page.locator("#outcome")
    expect(outcome).to_contain_text("reconfigure")
    expect(outcome.locator("del").first).to_have_text("100")
    expect(outcome.locator("ins").first).to_have_text("250")
    assert service.rate() == 100, "a plan changes nothing"

    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Applied: generation 2 is in force.")).to_be_visible()
    assert service.rate() == 250
    expect(page.get_by_label("Configuration, as YAML or JSON")).to_have_value(
        re.compile("^rate: 250$", re.MULTILINE)
    )

    page.get_by_role("link", name="History").click()
    expect(page.locator(".timeline li").first).to_contain_text("Reconfigure limiter")
    expect(page.locator(".timeline li").first).to_contain_text("token first")
    page.get_by_role("link", name="Reconfigure limiter").first.click()
    changed = page.get_by_role("region", name="What changed")
    expect(changed.locator("dt")).to_have_text("modules.limiter.config.rate")
    expect(changed.locator("del")).to_have_text("100")
    expect(changed.locator("ins")).to_have_text("250")

    page.get_by_role("link", name="History", exact=True).first.click()
    page.get_by_role("link", name="Roll back to generation 1").click()
    expect(page.locator(".steps")).to_contain_text("reconfigure limiter")
    expect(page.locator("main del")).to_have_text("250")
    expect(page.locator("main ins")).to_have_text("100")
    assert service.rate() == 250, "to look changes nothing"
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Applied: generation 3 is in force.")).to_be_visible()
    assert service.rate() == 100


def test_what_is_overridden_is_marked_and_found(service, page):
    """The table says which modules are, and shows those alone, or those of a type."""
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="overridden")).to_have_count(0)
    change_rate(page, service, 300)
    page.goto("/")
    expect(rows.filter(has_text="overridden")).to_contain_text("limiter")
    page.get_by_label("overridden").check()

    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("limiter")
    expect(page).to_have_url(re.compile("overridden=true"))
    service.edit("burst: 20", "burst: 21")
    expect(page.locator("#announce")).to_have_text("Healthy, generation 3")
    expect(rows).to_have_count(1)
    page.get_by_label("overridden").uncheck()
    page.get_by_label("Search modules by name").press_sequentially("admi")
    expect(rows).to_have_count(1)


def test_an_override_can_be_taken_away(service, page):
    """What a lower layer says counts again."""
    change_rate(page, service, 300)
    page.get_by_role("button", name="Take override away").click()
    expect(page.locator("#outcome ins").first).to_have_text("100")
    page.get_by_role("button", name="Apply").click()

    expect(page.get_by_text("Applied: generation 3")).to_be_visible()
    assert service.rate() == 100
    expect(page.get_by_role("button", name="Take override away")).to_have_count(0)


def test_a_secret_that_is_not_touched_stays_as_it_is(service, page):
    """An edit beside a masked secret does not store the mask."""
    change_rate(page, service, 300)

    stored = (service.folder / "overrides.yaml").read_text()
    config = service.runtime.snapshot.document.modules["limiter"].config
    assert "*" not in stored
    assert str(config["password"]) != "open-sesame-now"
    assert config["password"].reveal() == "open-sesame-now"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("rate: [1\n", "E_SYNTAX", "line 1, column 7"),
        ("rate: 1\nburst: NO\n", "E_TYPE", "line 2, column 8"),
        ("rate: 1\nrate: 2\n", "E_DUPKEY", "line 2, column 1"),
        ("rate: -1\n", "E_PREPARE", None),
    ],
)
def test_a_fault_in_an_edit_is_shown_in_place(service, page, text, code, place):
    """What is wrong is said at once, with line and column of the text."""
    page.goto("/modules/limiter")
    page.get_by_label("Configuration, as YAML or JSON").fill(text)
    page.get_by_role("button", name="Check and plan").click()
    outcome = page.locator("#outcome")
    if place is None:
        page.get_by_role("button", name="Apply").click()
    expect(outcome).to_contain_text(code)
    if place:
        page.get_by_role("link", name=place).click()
        expect(page.locator("#text")).to_be_focused()

    assert page.locator("#text").input_value().strip() == text.strip()
    assert service.rate() == 100


def test_a_text_that_is_out_of_date_is_refused(service, page):
    """An edit of what has changed since is not planned over it."""
    page.goto("/modules/limiter")
    page.locator("#live[data-state=live]").wait_for()
    service.edit("rate: 100", "rate: 150")
    wait_for_rate(service, 150)
    plan_rate(page, 200)

    expect(page.locator("#outcome")).to_contain_text("E_CONFLICT")
    assert service.rate() == 150


def test_it_says_when_it_is_offline_and_comes_back(service, page, complaints):
    """A stream that ends is told, and what was missed is caught up on."""
    page.context.set_offline(True)
    page.evaluate("document.querySelector('#live')._htmx.sse.reader.cancel()")
    expect(page.locator("#live-text")).to_contain_text("Offline")
    service.edit("rate: 100", "rate: 150")
    wait_for_rate(service, 150)
    page.context.set_offline(False)

    expect(page.locator("#live-text")).to_have_text("Live")
    expect(page.locator("#announce")).to_have_text("Healthy, generation 2")
    # A look that was under way when the test took the net away may say so.
    complaints[:] = [each for each in complaints if "Failed to fetch" not in each]


def test_it_comes_live_when_the_first_try_fails(service, open_page, complaints):
    """A page that was opened while no stream could be had does not stay silent."""
    page = open_page(token="")
    context = page.context
    context.route("**/page/events", lambda route: route.fulfill(status=503))
    log_in_by_form(page, service.token)
    expect(page.locator("#live-text")).to_contain_text("Offline")
    context.unroute("**/page/events")

    expect(page.locator("#live-text")).to_have_text("Live")
    assert all("503" in each for each in complaints)


def test_a_token_logs_in_and_a_wrong_one_does_not(service, open_page, complaints):
    """By the form, to the page that was asked for; and out again."""
    page = open_page(token="")
    page.goto("/history")
    log_in_by_form(page, "mf_wrong")
    expect(page.get_by_role("alert")).to_contain_text("token")
    assert all("401" in each for each in complaints)
    log_in_by_form(page, service.token)
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    page.get_by_role("button", name="Log out").click()

    expect(page.get_by_label("Token")).to_be_focused()


class TestManyModules:
    """A table of 1,200 modules."""

    @pytest.fixture
    def app(self, app):
        """Return a configuration with many modules."""
        many = (f"  w{n:04}: {{type: web, config: {{port: 1}}}}" for n in range(1200))
        return app + "\n".join(many)

    def test_search_finds_one_of_many(self, page):
        """A page of the table is small, and the search goes over all of them."""
        assert page.locator("tbody tr").count() == 50
        expect(page.get_by_text("of 1203")).to_be_visible()
        page.get_by_label("Search modules by name").press_sequentially("w0777")

        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.get_by_role("link", name="w0777")).to_be_visible()
        assert page.url.endswith("?q=w0777")
        assert page.get_by_label("Search modules by name").evaluate(
            "it => it === document.activeElement"
        )
