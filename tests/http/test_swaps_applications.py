from __future__ import annotations

import asyncio
import http.client
import socket
import threading

import pytest

RED, BLUE = "apps_under_test:red", "apps_under_test:blue"


def answer(connection, path="/"):
    """Send a request and return the body as text."""
    connection.request("GET", path)
    response = connection.getresponse()
    return response.read().decode()


def in_flight(site, app, eventually):
    """Start a request that stays inside the application; return thread and results."""
    before, results = app.entered, []

    def ask():
        results.append(site.ask("/slow"))

    thread = threading.Thread(target=ask)
    thread.start()
    assert eventually(lambda: app.entered > before)
    return thread, results


def test_a_new_application_answers_the_next_request(site):
    """After a change of `app`, requests get the new application's answer."""
    before = site.ask()
    outcome = site.change(app=BLUE)

    assert (before["app"], site.ask()["app"]) == ("red", "blue")
    assert outcome.name == "applied"
    assert [step.action for step in outcome.plan.steps] == ["reconfigure"]


def test_a_change_of_application_closes_no_connection(site):
    """A connection that was open before a change carries requests after it."""
    connection = site.connect()
    before = answer(connection)
    socket_before = connection.sock
    site.change(app=BLUE)
    after = answer(connection)
    same = connection.sock is socket_before
    connection.close()

    assert ("red" in before, "blue" in after, same) == (True, True, True)


def test_settings_reach_the_application_without_a_restart_of_it(site, apps):
    """A change of `settings` alone is seen by requests; the lifespan runs on."""
    site.change(app=RED, settings={"limit": 5})

    assert site.ask() == {"app": "red", "settings": {"limit": 5}}
    assert apps.red.diary == ["startup"]


@pytest.mark.parametrize(
    ("old", "new"), [(1, True), (True, 1), (1, 1.0), ("1", 1), (None, "null")]
)
def test_a_setting_of_another_type_is_another_setting(site, old, new):
    """What Python holds for equal, as 1 and true, is a change all the same."""
    site.change(app=RED, settings={"strict": old})
    before = site.ask()["settings"]["strict"]
    outcome = site.change(app=RED, settings={"strict": new})
    after = site.ask()["settings"]["strict"]

    assert outcome.name == "applied"
    assert [(type(each), each) for each in (before, after)] == [
        (type(old), old),
        (type(new), new),
    ]


def test_a_factory_is_called_with_the_settings(site, apps, eventually):
    """With `factory`, each change of the settings makes a new application."""
    site.change(app="apps_under_test:make", factory=True, settings={"label": "a"})
    first = site.ask()["app"]
    site.change(app="apps_under_test:make", factory=True, settings={"label": "b"})

    assert (first, site.ask()["app"]) == ("made-a", "made-b")
    assert eventually(lambda: apps.made[0].diary == ["startup", "shutdown"])
    assert apps.made[1].diary == ["startup"]


def test_an_application_is_started_before_and_ended_after_its_time(
    site, apps, eventually
):
    """Lifespan start comes before the first request, its end after the last."""
    thread, results = in_flight(site, apps.red, eventually)
    site.change(app=BLUE)
    during = list(apps.red.diary)
    new = site.ask()["app"]
    loop = site.module._loop.loop
    loop.call_soon_threadsafe(apps.red.gate.set)
    thread.join(20)

    assert during == ["startup"]
    assert new == "blue"
    assert results == [{"app": "red", "settings": {}}]
    assert eventually(lambda: apps.red.diary == ["startup", "shutdown"])


def test_an_application_that_comes_back_early_is_not_ended(site, apps, eventually):
    """An application that serves again while its last request runs is kept alive."""
    thread, _ = in_flight(site, apps.red, eventually)
    site.change(app=BLUE)
    site.change(app=RED)
    site.module._loop.loop.call_soon_threadsafe(apps.red.gate.set)
    thread.join(20)

    assert eventually(lambda: apps.blue.diary == ["startup", "shutdown"])
    assert site.ask()["app"] == "red"
    assert apps.red.diary == ["startup"]


@pytest.mark.parametrize(
    ("app", "text"),
    [
        ("apps_under_test:green", "has no attribute 'green'"),
        ("no_such_module_here:app", "No module named"),
        ("apps_under_test:number", "not callable"),
        ("apps_under_test", "must match regex"),
    ],
)
def test_an_application_that_cannot_be_had_refuses_the_change(site, app, text):
    """A name that leads to no application changes nothing and says why."""
    outcome = site.change(app=app)

    assert outcome.name == "rejected"
    assert text in str(outcome.faults[0])
    assert outcome.faults[0].path == ("modules", "web", "config", "app")
    assert site.ask()["app"] == "red"


def test_an_application_that_refuses_to_start_refuses_the_change(site, apps):
    """A failed lifespan start is a refused change, with the application's words."""

    async def grumpy(scope, receive, send):
        await receive()
        message = "Traceback ...\nValueError: no database"
        await send({"type": "lifespan.startup.failed", "message": message})

    apps.grumpy = grumpy
    outcome = site.change(app="apps_under_test:grumpy")

    assert outcome.name == "rejected"
    assert "ValueError: no database" in str(outcome.faults[0])
    assert site.ask()["app"] == "red"


def test_an_application_without_a_lifespan_serves_all_the_same(site, apps):
    """An application that raises for a lifespan scope has none, and serves."""

    async def bare(scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError("only http")
        await apps.blue(scope, receive, send)

    apps.bare = bare
    site.change(app="apps_under_test:bare")

    assert site.ask()["app"] == "blue"


def test_an_application_that_hangs_in_its_start_is_refused(site, apps):
    """A start that does not end within `startup_timeout` refuses the change."""

    async def sleepy(scope, receive, send):
        await receive()
        await receive()

    apps.sleepy = sleepy
    outcome = site.change(app="apps_under_test:sleepy", startup_timeout=0.2)

    assert outcome.name == "rejected"
    assert site.ask()["app"] == "red"


def test_a_request_that_fails_answers_500_and_the_rest_goes_on(site, apps):
    """An exception, even SystemExit, in one request does not end the server."""

    async def leaving(scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/":
            raise SystemExit(3)
        await apps.blue(scope, receive, send)

    apps.leaving = leaving
    site.change(app="apps_under_test:leaving")
    connection = site.connect()
    connection.request("GET", "/")
    status = connection.getresponse().status
    connection.close()

    assert status == http.client.INTERNAL_SERVER_ERROR
    assert site.ask("/ok")["app"] == "blue"


def test_a_stream_goes_on_with_the_application_that_began_it(site, apps, eventually):
    """A streamed response outlives a change of application, on the same connection."""
    gate = []

    async def stream(scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError("only http")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = {"type": "http.response.body", "body": b"one,", "more_body": True}
        await send(body)
        gate.append(asyncio.Event())
        await gate[0].wait()
        await send({"type": "http.response.body", "body": b"two"})

    apps.stream = stream
    site.change(app="apps_under_test:stream")
    connection = site.connect()
    connection.request("GET", "/")
    response = connection.getresponse()
    first = response.read(4)
    site.change(app=BLUE)
    site.module._loop.loop.call_soon_threadsafe(gate[0].set)
    rest = response.read()
    after = answer(connection)
    connection.close()

    assert (first, rest) == (b"one,", b"two")
    assert "blue" in after


def test_limits_change_for_connections_that_are_open(site, eventually):
    """A shorter `keep_alive_timeout` counts for a connection from before the change."""
    connection = site.connect()
    answer(connection)
    site.change(app=RED, keep_alive_timeout=0.05)
    answer(connection)

    assert eventually(lambda: connection.sock.recv(1, socket.MSG_PEEK) == b"")
    connection.close()
    assert site.values["keep_alive_timeout"] == 0.05


def test_an_application_may_change_its_own_configuration(site, apps):
    """A reload that a request asks for, in a thread, is applied like any other."""
    said = []

    async def reloading(scope, receive, send):
        if scope["type"] == "http":
            site.source.set(app=BLUE)
            said.append(await asyncio.to_thread(site.runtime.reload))
        await apps.red(scope, receive, send)

    apps.reloading = reloading
    site.change(app="apps_under_test:reloading")
    during = site.ask()["app"]

    assert (during, said[0].name) == ("red", "applied")
    assert site.ask()["app"] == "blue"
