from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from typing import Any

import pytest
from sqlalchemy import text

from midflight.testing import wait_until
from midflight_plugins.database._hub import observed, watched
from midflight_plugins.database._listen import PostgresLookout
from midflight_plugins.database._url import parsed

pytestmark = pytest.mark.servers
FORKING = """
import os, sys, threading, warnings
warnings.simplefilter("ignore")
from midflight_plugins.database._hub import watched
from midflight_plugins.database._url import parsed

settings, _ = parsed(sys.argv[1])
def say(line):
    os.write(1, line.encode() + b"\\n")

def follow(who):
    watch = watched(settings, "app", lambda: say(f"{who} hinted"))
    watch.__enter__()
    say(f"{who} ready")
    return watch

parent = follow("parent")
if os.fork() == 0:
    parent.__exit__(None, None, None)
    child = follow("child")
    for line in sys.stdin:
        if line == "child\\n":
            break
    child.__exit__(None, None, None)
    say("child left")
    os._exit(0)
os.wait()
for line in sys.stdin:
    break
parent.__exit__(None, None, None)
"""


@pytest.fixture
def system(postgres_url, original):
    """The original system, with one document `app`; it never notifies."""
    system = original(postgres_url)
    system.create()
    system.put("app", "v: 1")
    return system


@pytest.fixture
def notify(system):
    """Commits a notification, as a `put` does."""

    def send(payload='{"key": "app", "version": 2}'):
        with system.engine.begin() as connection:
            connection.execute(
                text("SELECT pg_notify('midflight_config', :it)"), {"it": payload}
            )

    return send


@pytest.fixture
def sessions(system, postgres_database):
    """Counts our sessions at the server."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = :name AND application_name = 'midflight'"
    )

    def count():
        with system.engine.connect() as connection:
            return connection.execute(query, {"name": postgres_database}).scalar()

    return count


def settings_of(url, **options):
    """Return settings whose polls are too rare to matter."""
    return parsed(url, **{"poll": 600, **options})[0]


def test_a_notification_is_a_hint(postgres_url, notify):
    """It names the document; what is no name is looked up, and is no hint."""
    hints: list = []
    settings = settings_of(postgres_url)
    with (
        watched(settings, "app", lambda: hints.append("app")),
        watched(settings, "other", lambda: hints.append("other")),
    ):
        for payload in ("junk", '{"key": "stranger"}', '{"key": "app"}'):
            notify(payload)
        wait_until(lambda: hints, "a hint")

    assert hints == ["app"]


def test_one_connection_hears_and_looks_for_all(postgres_url, sessions):
    """A process needs one session, however many documents it follows."""
    settings = settings_of(postgres_url)
    with contextlib.ExitStack() as stack:
        for at in range(20):
            stack.enter_context(watched(settings, f"key-{at}", lambda: None))
        during = sessions()
    wait_until(lambda: sessions() == 0, "the end of the session")

    assert during == 1


def test_it_listens_before_it_looks(postgres_url, system, notify):
    """What is committed between connecting and the first look is heard."""
    lookout = PostgresLookout(settings_of(postgres_url))
    lookout.open()
    notify()
    before = lookout.tokens(["app"])
    stir = lookout.stirred()
    lookout.close()

    assert stir.keys == {"app"}
    assert before


def test_what_came_while_it_was_away_is_found_at_the_return(
    postgres_url, system, sessions
):
    """A session that the server ended is replaced, and a look follows."""
    hints: list = []
    with watched(settings_of(postgres_url), "app", lambda: hints.append(1)):
        for version in range(2, 5):
            wait_until(lambda: sessions() == 1, "a session")
            with system.engine.begin() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name = 'midflight'"
                    )
                )
            before = len(hints)
            system.put("app", f"v: {version}")
            wait_until(lambda: len(hints) > before, "a hint", 10)  # noqa: B023  # called within the pass


def test_a_listener_that_is_cut_off_is_replaced(
    postgres_server, postgres_database, tcp_proxy, system
):
    """Where nobody answers and nobody says so, a look finds out within its limit."""
    proxy, hints = tcp_proxy(postgres_server.port), []
    url = postgres_server.url(postgres_database, port=proxy.port)
    settings = settings_of(url, poll=0.1, timeout=0.3)
    with watched(settings, "app", lambda: hints.append(1)):
        proxy.freeze(new=True)
        system.put("app", "v: 2")
        wait_until(lambda: hints, "a hint", 10)

    assert proxy.accepted >= 2


def test_a_server_that_lets_nobody_listen_is_polled(postgres_url, system, caplog):
    """A standby refuses LISTEN: that is told once, and looks go on."""

    class Standby(PostgresLookout):
        def connection(self):
            connection = super().connection()
            connection.execute("SET statement_timeout = 5000")
            connection.execute("CREATE FUNCTION pg_temp.no() RETURNS void AS $$ BEGIN "
                               "RAISE 'refused'; END $$ LANGUAGE plpgsql")  # fmt: skip
            return _Refusing(connection)

    lookout = Standby(settings_of(postgres_url))
    for _ in range(2):
        lookout.open()
        found = lookout.tokens(["app"])
        pushes = lookout.pushes
        lookout.close()

    assert list(found) == ["app"]
    assert not pushes
    assert len(caplog.records) == 1


class _Refusing:
    """A connection on which LISTEN fails, by an error of the server's own."""

    def __init__(self, connection):
        self._connection = connection

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, statement):
        if statement.startswith("LISTEN"):
            statement = "SELECT pg_temp.no()"
        return self._connection.execute(statement)


@pytest.fixture
def forking(postgres_url, system):  # tables are there before anybody looks
    """A process that watches and forks, and the lines that both of them say."""
    command = [sys.executable, "-Ic", FORKING, f"{postgres_url}?poll=600"]
    process: Any = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    lines: list = []

    def read():
        lines.extend(line.strip() for line in process.stdout)

    thread = threading.Thread(target=read)
    thread.start()
    yield process, lines
    process.stdin.close()
    process.wait(20)
    thread.join(20)
    process.stdout.close()


def test_a_forked_child_watches_for_itself(forking, sessions, notify):
    """The child has a session of its own, and the parent's lives on after it."""
    process, lines = forking
    try:
        wait_until(lambda: "child ready" in lines, "the child", 10)
        both = sessions()
        notify()
        wait_until(lambda: {"parent hinted", "child hinted"} <= {*lines}, "two hints")
        process.stdin.write("child\n")
        wait_until(lambda: "child left" in lines, "the child's end")
        lines.clear()
        wait_until(lambda: sessions() == 1, "the end of the child's session")
        notify()
        wait_until(lambda: lines == ["parent hinted"], "the parent's hint")
    finally:
        process.stdin.write("end\n")
        process.wait(20)

    assert both == 2
    assert process.returncode == 0


def test_a_killed_parent_takes_its_session_along(forking, sessions):
    """The child holds no end of the parent's connection open."""
    process, lines = forking
    wait_until(lambda: "child ready" in lines, "the child", 10)
    both = sessions()
    process.kill()
    process.wait()
    try:
        wait_until(lambda: sessions() == 1, "the end of the parent's session")
    finally:
        process.stdin.write("child\n")

    assert both == 2


def test_what_was_observed_spares_the_query(postgres_url, system):
    """A token that the last look found is told without asking the server."""
    settings = settings_of(postgres_url)
    with watched(settings, "app", lambda: None):
        seen = observed(settings, "app")

    assert seen is not None
    assert seen.startswith("1|")
    assert observed(settings, "app") is None
