"""The page in light and dark, wide and narrow, by keyboard and by screen reader."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("page")]

AXE = Path(__file__).parent / "axe/axe.min.js"
KEPT = {
    f"{name}-{form}"
    for name in ("overview", "plan", "refused", "history", "login")
    for form in ("light-1280", "dark-1280", "light-390")
}
PICTURES = os.environ.get("MIDFLIGHT_TEST_SCREENSHOTS") == "1"
WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 390, "height": 844}


@pytest.fixture
def shoot(root):
    """Return what keeps a picture for the documentation, if it is asked for."""
    folder = root / "docs/_static/screenshots"

    def shot(page, name):
        if PICTURES and name in KEPT:
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(
                path=folder / f"{name}.png",
                full_page=not name.startswith(("overview", "refused")),
            )

    return shot


@pytest.fixture
def app(app):
    """Return a configuration with some modules; with many there are no canaries."""
    count = 120 if PICTURES else 9
    some = (f"  web-{n:03}: {{type: web, config: {{port: {n}}}}}" for n in range(count))
    return app + "\n".join(some) + "\n"


def violations(page, *rules):
    """Return what axe-core finds wrong with a page, by all of its rules or some."""
    options = {"runOnly": list(rules)} if rules else {}
    found = page.evaluate("it => axe.run(it)", options)["violations"]
    return [
        (each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found
    ]


def overflows(page):
    """Tell whether a page is wider than its window."""
    wide = "document.documentElement.scrollWidth > window.innerWidth"
    return page.evaluate(wide)


def plan(page):
    """Edit the module that is open, up to the plan."""
    text = page.get_by_label("Configuration, as YAML or JSON")
    text.fill(text.input_value().replace("rate: 100", "rate: 120", 1))
    page.get_by_role("button", name="Check and plan").click()
    page.get_by_role("button", name="Apply").wait_for()


def change(page, service):
    """Yield the name of each page of a change, once it is open and has all it shows."""
    yield "overview"
    page.get_by_role("rowheader", name="limiter").get_by_role("link").click()
    page.get_by_text("as it should").wait_for()
    yield "module"
    plan(page)
    yield "plan"


def refusal(page, service):
    """Yield those of changes that are refused."""
    page.goto("/modules/limiter")
    page.get_by_label("Configuration, as YAML or JSON").fill("rate: [\nburst: NO\n")
    page.get_by_role("button", name="Check and plan").click()
    page.get_by_role("heading", name="The text cannot be used").wait_for()
    yield "faults"
    service.edit("burst: 20", "burst: lots\n      rate: 5")
    page.goto("/")
    page.get_by_role("heading", name="A change was refused").wait_for()
    yield "refused"
    page.goto("/plan")
    yield "pending"
    page.goto("/modules/nobody")
    yield "missing"


def history(page, service):
    """Yield those of what was decided."""
    page.goto("/modules/limiter")
    plan(page)
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("Applied: generation 2").wait_for()
    service.edit("burst: 20", "burst: 20\n      rate: 5")
    page.goto("/")
    page.get_by_role("heading", name="A change was refused").wait_for()
    page.goto("/history")
    yield "history"
    page.locator(".timeline a").first.click()
    page.get_by_role("heading", name="Steps").wait_for()
    yield "record"
    page.goto("/rollback/1")
    yield "rollback"


@pytest.mark.parametrize("visits", [change, refusal, history])
def test_nobody_is_left_out(service, open_page, shoot, visits):
    """Axe-core finds nothing, in light and dark, and no page is wider than it shows."""
    page = open_page(bypass_csp=True, reduced_motion="reduce", viewport=WIDE)
    page.add_init_script(path=AXE)
    page.reload()
    for name in visits(page, service):
        page.emulate_media(color_scheme="dark")
        shoot(page, f"{name}-dark-1280")
        assert violations(page, "color-contrast") == [], f"{name} in the dark"
        page.emulate_media(color_scheme="light")
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)
            shoot(page, f"{name}-light-{size['width']}")
            assert violations(page) == [], f"{name} at {size}"
            assert not overflows(page), f"{name} at {size}"
        page.set_viewport_size(WIDE)


def test_nobody_is_left_out_at_the_door(open_page, shoot):
    """The same holds of the login, also after a wrong token."""
    page = open_page(token="", bypass_csp=True, reduced_motion="reduce")
    page.add_init_script(path=AXE)
    page.reload()
    shoot(page, "login-light-1280")
    page.get_by_label("Token").fill("mf_wrong")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_label("Token").evaluate("it => it === document.activeElement")
    page.emulate_media(color_scheme="dark")
    shoot(page, "login-dark-1280")
    colours = violations(page, "color-contrast")
    page.emulate_media(color_scheme="light")

    assert [*violations(page), *colours] == []


def test_a_change_needs_no_mouse(service, page):
    """Skip to the content, edit, plan and apply by keys alone."""
    page.goto("/modules/limiter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    while page.evaluate("document.activeElement.id") != "text":
        page.keyboard.press("Tab")
    page.keyboard.press("Control+Home")
    page.keyboard.press("End")
    page.keyboard.type("7")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    apply = page.get_by_role("button", name="Apply")
    apply.wait_for()
    page.keyboard.press("Tab")
    while not apply.evaluate("it => it === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_text("Applied: generation 2")).to_be_visible()
    assert service.rate() == 1007


def test_it_works_without_scripts(service, open_page):
    """Forms are forms: what scripts add is comfort."""
    page = open_page(java_script_enabled=False)
    page.goto("/modules/limiter")
    plan(page)
    page.get_by_role("button", name="Apply").click()

    expect(page.get_by_text("Applied: generation 2")).to_be_visible()
    assert service.rate() == 120
