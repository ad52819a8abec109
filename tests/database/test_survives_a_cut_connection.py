"""A listener that hears nothing, or nonsense, follows all the same."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from midflight import Runtime
from midflight.testing import FakeModule, wait_until
from midflight_plugins.database import DatabaseSource

FOLLOWERS, ROUNDS = 20, 10  # 200 cuts in all
LIMIT = 15.0  # s, from a cut to convergence: some 1.3 s on an idle machine
POLL, TIMEOUT = 0.2, 0.5  # s
CHANNEL = "midflight_config"
JUNK = [
    "",
    "{",
    "null",
    "[]",
    "7",
    "default",
    '"default"',
    '{"key": null}',
    '{"key": 5, "version": "x"}',
    '{"key": ["default"], "version": {}}',
    '{"key": "another", "version": 1}',
    '{"key": "default", "version": -1}',
    '{"key": "default", "version": 1e400}',
    '{"key": "default", "version": 99999999999999999999}',
    "[" * 7_900,
    "ü" * 3_900,
    "\x01\x7f\u2028\U0001f600",
]


def content(value):
    """Return the document with that value."""
    return f"modules: [{{name: m, type: fake, config: {{v: {value}}}}}]\n"


@pytest.fixture
def follow():
    """Runs a module on a document: `follow(uri, …)` gives a runtime."""
    running = []

    def start(uri, **options):
        source = DatabaseSource.from_uri(uri)
        modules = {"fake": FakeModule}
        given = {"watch": True, "sweep": 1.0, "backoff": 0.5, **options}
        running.append(runtime := Runtime(source, modules=modules, **given))
        runtime.start()
        return runtime

    yield start
    for runtime in running:
        runtime.stop()


def value_of(runtime):
    """Return the value in force; the module has it a moment before the snapshot."""
    return runtime.snapshot.document.modules["m"].config["v"]


def await_value(value, *runtimes):
    """Wait until a value is in force in some runtimes."""
    wait_until(
        lambda: all(value_of(each) == value for each in runtimes),
        f"convergence on {value}",
        LIMIT,
    )


@pytest.mark.timeout(ROUNDS * LIMIT + 60)
def test_converges_after_every_cut(
    postgres_server, postgres_database, original, tcp_proxy, follow
):
    """After each of 200 cuts without FIN a follower is up to date in seconds."""
    system = original(postgres_server.url(postgres_database))
    system.create()
    proxies, runtimes, keys, took = [], [], [], []
    for number in range(FOLLOWERS):
        keys.append(f"key-{number}")
        system.put(keys[-1], content(0))
        proxies.append(tcp_proxy(postgres_server.port))
        url = postgres_server.url(postgres_database, port=proxies[-1].port)
        options = f"poll={POLL}&timeout={TIMEOUT}"
        runtimes.append(follow(f"{url}?{options}#{keys[-1]}"))
    for number in range(1, ROUNDS + 1):
        for proxy in proxies:
            if number % 5:
                proxy.drop()
            else:  # the server does not know either
                proxy.freeze(new=True)
        for key in keys:
            system.put(key, content(number))
        began = time.monotonic()
        await_value(number, *runtimes)
        took.append(time.monotonic() - began)

    print(f"slowest of 20, by round: median {sorted(took)[ROUNDS // 2]:.2f} s, "
          f"most {max(took):.2f} s")  # fmt: skip
    assert all(proxy.accepted > ROUNDS for proxy in proxies)  # each cut was felt


def test_the_oracle_sees_a_listener_that_only_listens(
    postgres_server, postgres_database, tcp_proxy
):
    """Who only waits for notifications hears of nothing after such a cut."""
    proxy = tcp_proxy(postgres_server.port)
    url = postgres_server.url(postgres_database, port=proxy.port)
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"LISTEN {CHANNEL}"))
        driver: Any = connection.connection.driver_connection
        postgres_server.run(f"NOTIFY {CHANNEL}", postgres_database)
        assert list(driver.notifies(timeout=5, stop_after=1))
        proxy.drop()
        postgres_server.run(f"NOTIFY {CHANNEL}", postgres_database)

        with pytest.raises(AssertionError):
            wait_until(lambda: [*driver.notifies(timeout=0)], "a notification", 0.5)
        connection.invalidate()


@pytest.fixture
def pushed(postgres_url, original, open_store, follow):
    """A follower by push alone; gives its runtime, a way to put and one to notify."""
    store, system = open_store(postgres_url), original(postgres_url)

    def put(value):
        head = store.head("default")
        data = content(value).encode()
        store.put(
            "default",
            data,
            expected=head and head.version,
            author="",
            message="",
            digest=f"{value}",
        )

    def notify(payload, channel=CHANNEL):
        with system.engine.begin() as connection:
            values = {"channel": channel, "payload": payload}
            connection.execute(text("SELECT pg_notify(:channel, :payload)"), values)

    put(0)
    runtime = follow(f"{postgres_url}?poll=60", sweep=60.0)
    put(1)
    await_value(1, runtime)
    return runtime, put, notify


def test_junk_is_harmless(pushed, caplog):
    """Notifications that mean nothing change nothing; the next real one is heard."""
    runtime, put, notify = pushed
    generation = runtime.snapshot.generation
    with caplog.at_level(logging.WARNING):
        for payload in JUNK:
            notify(payload)
        put(2)
        await_value(2, runtime)

    assert runtime.snapshot.generation == generation + 1
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_doubled_and_reordered_notifications_are_harmless(pushed):
    """Of 50 notifications in the wrong order, the head alone is applied, once."""
    runtime, put, notify = pushed
    generation = runtime.snapshot.generation
    for version in [*range(50, 0, -1), 3, 1, 3, 2]:
        notify(f'{{"key": "default", "version": {version}}}')
    put(2)
    for version in (1, 2, 2, 1):
        notify(f'{{"key": "default", "version": {version}}}')
    await_value(2, runtime)
    put(3)
    await_value(3, runtime)

    values = [config["v"] for _, config in runtime.module("m").calls if _ != "prepare"]
    assert values == sorted(set(values))
    assert runtime.snapshot.generation == generation + 2


def test_a_lost_notification_is_found_by_the_poll(postgres_url, original, follow):
    """What is written without a notification is in force after the next poll."""
    system = original(postgres_url)
    system.create()
    system.put("default", content(0))
    runtime = follow(f"{postgres_url}?poll={POLL}", sweep=60.0)

    for value in range(1, 6):
        system.put("default", content(value))
        await_value(value, runtime)
