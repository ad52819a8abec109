"""Who may see the page, and who may change something by it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from midflight.testing import wait_until
from midflight_plugins.admin._tokens import Tokens
from midflight_plugins.admin.page import routes
from midflight_plugins.admin.page._sessions import IDLE, MOST, Sessions
from midflight_plugins.api import Caller

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def csrf_of(client):
    """Return what each form of the session carries."""
    return re.findall(r'name="csrf" value="([^"]+)"', client.get("/").text)[0]


def tokens_of(service):
    """Return the tokens that the service lets in."""
    return Tokens(service.folder / "state/admin-tokens.json")


@pytest.fixture
def declared():
    """Return every path of the page, with its scope."""
    nothing: Any = None
    return routes(nothing)


@pytest.fixture
def make_token(service):
    """Return what makes a token with scopes, as `midflight token create` does."""
    return lambda name, *scopes: tokens_of(service).create(name, scopes)


def test_a_token_gives_a_session(service, client, log_in):
    """The cookie is out of reach of scripts and of other sites."""
    answer = log_in(service.token)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= set(cookie.split("; "))
    assert service.token not in cookie
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("token", ["", "mf_wrong", "é", "x" * 10_000])
def test_a_wrong_token_gives_none(client, log_in, token):
    """The form says so, in one text for all, and shows nothing else."""
    answer = log_in(token)

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text
    assert "limiter" not in answer.text


def test_who_guesses_is_slowed_down(client, log_in):
    """After some wrong tokens none is looked at for a while."""
    statuses = [log_in("mf_wrong").status_code for _ in range(12)]

    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_nothing_is_shown_without_a_session(client, declared):
    """Each page but the open ones leads to the login, and back."""
    closed = [each for each in declared if each.scope != "open"]
    for each in closed:
        path = re.sub(r"\{\w+\}", "1", each.path)
        headers = FORM if each.method == "POST" else {}
        answer = client.request(each.method, path, headers=headers)
        assert answer.status_code == (401 if path == "/page/events" else 303), path
        assert "limiter" not in answer.text

    there = client.get("/history?before=3").headers["location"]
    assert there == "/login?next=%2Fhistory%3Fbefore%3D3"


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example", "https://evil.example/", "x", ""]
)
def test_the_login_leads_to_no_other_site(service, client, path):
    """What follows a login is a path of this page."""
    form = {"token": service.token, "next": path}
    answer = client.post("/login", data=form)

    assert answer.headers["location"] == "/"


def test_logging_out_ends_the_session(service, client, log_in):
    """The same cookie is worth nothing afterwards."""
    log_in(service.token)
    cookies = dict(client.cookies)
    csrf = csrf_of(client)
    assert client.post("/logout", data={"csrf": csrf}).status_code == 303
    client.cookies.update(cookies)

    assert client.get("/").status_code == 303


def test_a_form_without_the_token_of_its_session_is_refused(
    service, client, log_in, declared
):
    """No form counts that another page could have sent; it is in the journal."""
    log_in(service.token)
    posts = [
        each for each in declared if each.method == "POST" and each.scope != "open"
    ]
    for each in posts:
        path = re.sub(r"\{\w+\}", "limiter", each.path)
        for csrf in ({}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": "é"}):
            answer = client.post(path, data=csrf, headers=FORM)
            assert answer.status_code == 403, path
            assert "E_ORIGIN" in answer.text

    assert len(posts) >= 4
    assert client.get("/").status_code == 200, "the session goes on"


@pytest.mark.parametrize(
    "origin",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_site_cannot_send_forms(service, client, log_in, origin):
    """Not even with the session's cookie and token."""
    log_in(service.token)
    form = {"csrf": csrf_of(client), "action": "remove"}
    answer = client.post("/modules/limiter/plan", data=form, headers=origin)

    assert answer.status_code == 403


def test_looking_changes_nothing(service, client, log_in, declared):
    """No `GET`, with whatever it is given, is more than a look."""
    log_in(service.token)
    service.edit("rate: 100", "rate: 150")
    service.runtime.wait(2)
    given = "?action=remove&token=1&text=rate%3A+1&generation=1&dry_run=false"
    for each in declared:
        if each.method == "GET" and each.path != "/page/events":
            client.get(re.sub(r"\{\w+\}", "limiter", each.path) + given)
            client.get(re.sub(r"\{\w+\}", "1", each.path) + given)

    assert service.runtime.snapshot.generation == 2
    assert not (service.folder / "overrides.yaml").exists()


def test_forms_are_forms(service, client, log_in):
    """What is no form, or too many fields, is not read."""
    log_in(service.token)

    assert client.post("/logout", json={}).status_code == 415
    many = {str(n): "" for n in range(50)}
    assert client.post("/logout", data=many).status_code == 400
    big = {"text": "x" * 2_000_000}
    assert client.post("/modules/limiter/plan", data=big).status_code == 413


def test_who_may_read_may_not_write(service, client, log_in, make_token):
    """What a token does not allow is neither offered nor done."""
    log_in(make_token("reader", "read"))
    page = client.get("/modules/limiter").text
    csrf = csrf_of(client)
    form = {"csrf": csrf, "text": "rate: 1", "etag": "", "token": "x"}

    assert "Check and plan" not in page
    assert "Roll back" not in client.get("/history").text
    for path in ("/modules/limiter/plan", "/modules/limiter/apply", "/rollback/1"):
        answer = client.post(path, data=form)
        assert answer.status_code == 403, path
        assert "E_SCOPE" in answer.text
    assert client.get("/rollback/1").status_code == 403


def test_who_may_write_one_module_may_not_write_another(
    service, client, log_in, make_token
):
    """The scope names modules; the others are not offered."""
    log_in(make_token("web", "write:web"))

    assert "Check and plan" in client.get("/modules/web").text
    assert "Check and plan" not in client.get("/modules/limiter").text


def test_a_revoked_token_ends_its_session(service, client, log_in, make_token):
    """Who was logged in with it is out at the next look."""
    log_in(make_token("brief", "read"))
    assert client.get("/").status_code == 200
    tokens_of(service).revoke("brief")

    wait_until(lambda: client.get("/").status_code == 303, seconds=10)


def test_every_answer_is_guarded(service, client, log_in):
    """No page runs a script or a style of anybody else's, nor is kept."""
    log_in(service.token)
    for path in ("/login", "/", "/modules/limiter", "/history", "/modules/nobody"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_no_page_has_a_script_or_a_style_of_its_own(service, client, log_in):
    """All of them are files, so that the policy can forbid the rest."""
    log_in(service.token)
    for path in ("/login", "/", "/modules/limiter", "/history"):
        text = client.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|hx-on|js:", text)
        assert re.findall(r"<script(?! src=)", text) == []


def test_what_a_source_says_is_text(service, client, log_in):
    """Names and values of a configuration are shown, never run."""
    evil = "</textarea><script>alert(1)</script>"
    service.edit("rate: 100", f"rate: 100\n      evil: '{evil}'")
    service.runtime.wait(2)
    log_in(service.token)
    text = client.get("/modules/limiter").text

    assert evil not in text
    assert "&lt;/textarea&gt;&lt;script&gt;" in text


# -- sessions -------------------------------------------------------------------------


def test_a_session_ends_after_half_a_day_without_use():
    """An open page that only brings itself up to date is not use."""
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    key = sessions.begin("mf_x")
    now[0] = IDLE - 1
    assert sessions.find(key, acts=True)
    now[0] += IDLE - 1
    assert sessions.find(key, acts=False)
    now[0] += 2

    assert sessions.find(key, acts=False) is None


def test_sessions_are_bounded():
    """One more ends that which was idle for longest."""
    sessions = Sessions()
    keys = [sessions.begin("mf_x") for _ in range(MOST)]
    assert sessions.find(keys[0], acts=True)
    sessions.begin("mf_x")

    assert sessions.find(keys[0], acts=True)
    assert sessions.find(keys[1], acts=True) is None


def test_a_session_does_not_show_its_token():
    """Not in what a log or an error would print of it."""
    sessions = Sessions()
    key = sessions.begin("mf_canary")

    assert "mf_canary" not in repr(sessions.find(key, acts=True))
    assert key not in repr(vars(sessions))
    assert Caller("a", ()).may("read") is False
