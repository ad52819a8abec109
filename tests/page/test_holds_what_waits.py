"""A change that waits for approval, is sent twice, or comes from below a prefix."""

from __future__ import annotations

import asyncio
import html
import re

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from midflight.testing import wait_until
from midflight_plugins.admin import asgi


def hidden(text, name):
    """Return the value of a hidden field of a page."""
    return html.unescape(re.findall(rf'name="{name}" value="([^"]+)"', text)[0])


class TestHold:
    """A service whose changes wait until somebody approves them."""

    @pytest.fixture
    def strategy(self):
        """Return a strategy that holds every change."""
        return "hold"

    @pytest.fixture
    def waiting(self, service, client, log_in):
        """Log in, and edit the file; the change waits."""
        log_in(service.token)
        service.edit("rate: 100", "rate: 150")
        wait_until(lambda: service.runtime.status()["held"])
        return client

    def test_a_held_change_is_shown_and_approved(self, service, waiting):
        """The overview says that it waits; its plan is shown before it is applied."""
        assert "A change waits for approval" in waiting.get("/").text
        page = waiting.get("/plan").text
        assert "<del>100</del>" in page
        assert "<ins>150</ins>" in page
        assert service.rate() == 100
        form = {name: hidden(page, name) for name in ("csrf", "desired")}
        answer = waiting.post("/plan", data=form)

        assert answer.status_code == 303
        assert service.rate() == 150
        assert "A change waits" not in waiting.get("/").text

    def test_what_was_not_looked_at_is_not_approved(self, service, waiting):
        """Another change that came meanwhile has to be looked at first."""
        page = waiting.get("/plan").text
        form = {name: hidden(page, name) for name in ("csrf", "desired")}
        service.edit("rate: 150", "rate: 160")
        answer = waiting.post("/plan", data=form)

        assert "E_CONFLICT" in answer.text
        assert service.rate() == 100


def test_two_clicks_are_one_change(service, client, log_in):
    """A form that is sent twice is done once, and answered twice alike."""
    log_in(service.token)
    page = client.get("/modules/limiter").text
    form = {name: hidden(page, name) for name in ("csrf", "etag")}
    planned = client.post("/modules/limiter/plan", data={**form, "text": "rate: 7"})
    token = {name: hidden(planned.text, name) for name in ("csrf", "token")}
    answers = [client.post("/modules/limiter/apply", data=token) for _ in range(2)]
    assert [each.status_code for each in answers] == [303, 303]
    assert service.runtime.snapshot.generation == 2

    page = client.get("/rollback/1").text
    back = {name: hidden(page, name) for name in ("csrf", "once")}
    answers = [client.post("/rollback/1", data=back) for _ in range(2)]
    assert [each.status_code for each in answers] == [303, 303]
    assert service.runtime.snapshot.generation == 3
    assert service.rate() == 100


def test_it_can_be_mounted_in_another_application(service):
    """Links, forms and the cookie stay below the path where it is mounted."""
    inner = asgi(service.runtime, hosts=["shop.example"], behind_proxy=True)
    app = Starlette(routes=[Mount("/ops", inner)])
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}

    async def visit():
        transport = httpx2.ASGITransport(app)
        base = "https://shop.example"
        async with httpx2.AsyncClient(
            transport=transport, base_url=base, headers=proxied
        ) as client:
            to_login = await client.get("/ops/history")
            form = {"token": service.token, "next": "/history"}
            logged_in = await client.post("/ops/login", data=form)
            pages = [
                await client.get("/ops/"),
                await client.get("/ops/modules/limiter"),
            ]
            return to_login, logged_in, pages

    to_login, logged_in, pages = asyncio.run(visit())

    assert to_login.headers["location"] == "/ops/login?next=%2Fhistory"
    assert logged_in.headers["location"] == "/ops/history"
    cookie = logged_in.headers["set-cookie"]
    assert {"Path=/ops/", "Secure"} <= set(cookie.split("; "))
    for page in pages:
        assert page.status_code == 200
        links = re.findall(r'(?:href|src|action|hx-[a-z:]+)="(/[^"]*)"', page.text)
        assert len(links) > 5
        assert all(each.startswith("/ops/") for each in links)
