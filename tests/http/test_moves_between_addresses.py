from __future__ import annotations

import http.client
import pathlib
import socket
import stat
import threading
from unittest import mock

import httpx2
import pytest

from midflight import Document
from midflight.errors import MidflightError, MissingDependencyError
from midflight_plugins.http import HttpConfig, HttpModule

RED, BLUE = "apps_under_test:red", "apps_under_test:blue"


def free_port():
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def descriptors():
    """Return the number of open descriptors."""
    return len(list(pathlib.Path("/proc/self/fd").iterdir()))


def accepts(port):
    """Tell whether somebody listens on a port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except OSError:
        return False


def get(connection, path="/"):
    """Send a request; return its body and whether it ends the connection."""
    connection.request("GET", path)
    response = connection.getresponse()
    return response.read().decode(), response.getheader("connection") == "close"


def test_a_new_port_is_served_and_the_old_one_closed(site, eventually):
    """After a change of `port` the new one answers, and the old one closes in time."""
    old, new = site.port, free_port()
    site.change(app=RED, port=new)

    assert site.ask()["app"] == "red"
    assert site.values["address"] == f"127.0.0.1:{new}"
    assert eventually(lambda: not accepts(old))


def test_a_connection_to_the_old_port_ends_with_its_next_answer(site):
    """A client on a kept-alive connection gets an answer, and is told to go."""
    connection = site.connect()
    first, ended_before = get(connection)
    site.change(app=BLUE, port=free_port())
    second, ended_after = get(connection)
    connection.close()

    assert ("red" in first, ended_before) == (True, False)
    assert ("blue" in second, ended_after) == (True, True)


def test_an_idle_connection_outlives_the_old_port(site, eventually):
    """A connection that was idle while the old port closed carries one more request."""
    site.change(app=RED, port=site.port, keep_alive_timeout=60.0)
    connection, old = site.connect(), site.port
    get(connection)
    site.change(app=BLUE, port=free_port(), keep_alive_timeout=60.0)
    assert eventually(lambda: not accepts(old))
    body, ended = get(connection)
    connection.close()

    assert ("blue" in body, ended) == (True, True)


def test_a_request_in_flight_on_the_old_port_gets_its_answer(site, apps, eventually):
    """A request by the old port, to the old application, outlives both."""
    site.change(app=RED, port=site.port, drain_timeout=20.0)
    old, results = site.port, []
    thread = threading.Thread(target=lambda: results.append(site.ask("/slow")))
    thread.start()
    assert eventually(lambda: apps.red.entered)
    site.change(app=BLUE, port=free_port(), drain_timeout=20.0)
    assert eventually(lambda: not accepts(old))
    during = list(apps.red.diary)
    site.module._loop.loop.call_soon_threadsafe(apps.red.gate.set)
    thread.join(20)

    assert during == ["startup"]
    assert results == [{"app": "red", "settings": {}}]
    assert eventually(lambda: apps.red.diary == ["startup", "shutdown"])


def test_a_port_that_is_taken_refuses_the_change(site):
    """A port of somebody else's changes nothing, and is tried again later."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        before = descriptors()
        outcome = site.change(app=BLUE, port=taken.getsockname()[1])
        after = descriptors()

    assert (outcome.name, outcome.transient) == ("rejected", True)
    assert "in use" in str(outcome.faults[0])
    assert site.ask()["app"] == "red"
    assert after == before


def test_the_old_port_can_be_had_again_at_once(site):
    """Going to another port and straight back finds the first still open."""
    old = site.port
    site.change(app=RED, port=free_port())
    outcome = site.change(app=BLUE, port=old)

    assert outcome.name == "applied"
    assert site.port == old
    assert site.ask()["app"] == "blue"


def test_the_old_port_can_be_had_again_later(site, eventually):
    """Going back to a port that has been closed opens it anew."""
    old = site.port
    site.change(app=RED, port=free_port())
    assert eventually(lambda: not site.module._leaving)
    outcome = site.change(app=BLUE, port=old)

    assert outcome.name == "applied"
    assert (site.port, site.ask()["app"]) == (old, "blue")


@pytest.mark.parametrize("hook", ["prepare", "reconfigure"])
def test_a_change_that_fails_elsewhere_leaves_all_as_it_was(
    apps, make_site, fragile, eventually, hook
):
    """When another module fails, port, application and connections are the old ones."""
    site = make_site(app=RED)
    entry = site.source.modules["web"]
    other = {"type": "fragile", "dependsOn": ["web"]}
    site.source.modules = {"web": entry, "other": {**other, "config": {"a": 1}}}
    assert site.runtime.reload().name == "applied"
    before, old, new = site.values, site.port, free_port()
    connection = site.connect()
    get(connection)
    fragile.fails = hook
    changed = {"type": "http", "config": {"app": BLUE, "port": new}}
    site.source.modules = {"web": changed, "other": {**other, "config": {"a": 2}}}
    outcome = site.runtime.reload()
    body, ended = get(connection)
    connection.close()

    assert outcome.name == {"prepare": "rejected", "reconfigure": "rolled_back"}[hook]
    assert site.values == before
    assert ("red" in body, ended) == (True, False)
    assert (site.port, site.ask()["app"]) == (old, "red")
    assert eventually(lambda: not accepts(new))
    assert eventually(lambda: apps.blue.diary == ["startup", "shutdown"])
    assert apps.red.diary == ["startup"]


def test_a_unix_socket_is_served_and_removed(site, tmp_path):
    """With `uds` the module listens on a socket file, which goes with it."""
    path = tmp_path / "web.sock"
    outcome = site.change(app=RED, uds=str(path))
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(path))) as client:
        body = client.get("http://web/").json()
    kind = stat.S_ISSOCK(path.stat().st_mode)
    site.runtime.stop()

    assert outcome.name == "applied"
    assert (body["app"], kind) == ("red", True)
    assert not path.exists()


def test_a_socket_file_left_behind_is_replaced(site, tmp_path):
    """A socket file that nobody listens on does not stand in the way."""
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    assert site.change(app=RED, uds=str(path)).name == "applied"


def test_a_file_that_is_no_socket_is_never_replaced(site, tmp_path):
    """A path that holds something else refuses the change and keeps it."""
    path = tmp_path / "precious"
    path.write_text("data")
    outcome = site.change(app=RED, uds=str(path))

    assert outcome.name == "rejected"
    assert path.read_text() == "data"


def test_a_restart_hands_the_socket_on(make_site):
    """A strategy that restarts the module keeps port and connections in service."""
    site = make_site(app=RED, strategy="full")
    port, first = site.port, site.module
    connection = site.connect()
    get(connection)
    answers = []
    changed = threading.Thread(target=lambda: site.change(app=BLUE, port=port))
    changed.start()
    while changed.is_alive():
        try:
            answers.append(get(connection)[1])
        except http.client.RemoteDisconnected:
            answers.append("lost")
    connection.close()

    assert "lost" not in answers
    assert site.module is not first
    assert (site.port, site.ask()["app"]) == (port, "blue")


def test_a_renamed_module_takes_its_socket_along(site):
    """Another name on the same port is no conflict, and no connection is lost."""
    port, connection = site.port, site.connect()
    get(connection)
    site.source.set(name="shop", app=BLUE, port=port)
    outcomes, answers = [], []
    renaming = threading.Thread(target=lambda: outcomes.append(site.runtime.reload()))
    renaming.start()
    while renaming.is_alive():
        answers.append(get(connection)[0])
    connection.close()

    assert [outcome.name for outcome in outcomes] == ["applied"]
    assert all('"red"' in answer or '"blue"' in answer for answer in answers)
    assert site.runtime.probe("shop").values["port"] == port


def test_stopping_finishes_requests_in_flight(site, apps, eventually):
    """A stop waits for the request in flight, then nobody listens any more."""
    port, results = site.port, []
    loop = site.module._loop.loop
    thread = threading.Thread(target=lambda: results.append(site.ask("/slow")))
    thread.start()
    assert eventually(lambda: apps.red.entered)
    stopping = threading.Thread(target=site.runtime.stop)
    stopping.start()
    assert eventually(lambda: not accepts(port))
    loop.call_soon_threadsafe(apps.red.gate.set)
    thread.join(20)
    stopping.join(20)

    assert results == [{"app": "red", "settings": {}}]
    assert apps.red.diary == ["startup", "shutdown"]


def test_stopping_cuts_off_what_does_not_end(site, apps, eventually):
    """A request that outlasts `drain_timeout` does not hold up the stop."""
    site.change(app=RED, drain_timeout=0.0)
    failures = []

    def ask():
        try:
            site.ask("/slow")
        except (OSError, http.client.HTTPException, AssertionError) as exc:
            failures.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    assert eventually(lambda: apps.red.entered)
    site.runtime.stop()
    thread.join(20)

    assert len(failures) == 1


def test_what_cannot_be_closed_in_time_is_ended_all_the_same(make_site, apps):
    """An application whose event loop is busy does not serve on once it is removed."""

    class Late(HttpModule):
        def close(self):
            raise TimeoutError("its loop is blocked")

    site = make_site(module=Late, app=RED)
    port, site.source.modules = site.port, {}
    outcome = site.runtime.reload()
    names = {thread.name for thread in threading.enumerate()}

    assert outcome.name == "applied"
    assert not accepts(port)
    assert "midflight-http-web" not in names
    assert apps.red.diary == ["startup", "shutdown"]


def test_without_uvicorn_the_error_says_what_to_install(monkeypatch, apps):
    """Without the server's library the module names the extra to install."""
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    module = HttpModule("web")

    with pytest.raises(MissingDependencyError, match=r"midflight\[http\]"):
        module.prepare(HttpConfig(RED), Document(), mock.Mock())


def test_the_logging_of_the_process_is_left_alone(site):
    """The server brings no handlers and levels of its own."""
    import logging

    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)

        assert (logger.handlers, logger.level, logger.propagate) == ([], 0, True)


def test_a_runtime_that_starts_on_a_taken_port_leaves_no_thread(
    apps, make_site, eventually
):
    """A start that fails ends the thread it had begun."""
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MidflightError, match="in use"):
            make_site(app=RED, port=port)

    assert eventually(lambda: threading.active_count() <= before)
