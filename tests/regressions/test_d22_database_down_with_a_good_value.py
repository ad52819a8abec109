"""D22: a database that was down made an error of a good value in memory."""

from __future__ import annotations

import threading

import pytest

from midflight import Runtime, hookimpl
from midflight.errors import SourceUnavailableError
from midflight.testing import FakeModule, wait_until
from midflight_plugins.database import DatabaseSource

KEY = "default"


def text(value):
    """Return a configuration with a value."""
    return f"modules: [{{name: m, type: fake, config: {{v: {value}}}}}]\n"


class Hangs(DatabaseSource):
    """Its next read takes until it is told to go on."""

    gate: threading.Event | None = None

    @hookimpl
    def load(self, runtime):
        if self.gate is not None:
            self.gate.wait(30)
        return super().load(runtime)


class ExpiresWhatItHas:
    """The broken variant: it asks again for what expired, under the readers' lock."""

    def __init__(self, query):
        self.query, self.lock, self.cached = query, threading.Lock(), query()

    def read(self):
        with self.lock:
            self.cached = self.query()
        return self.cached


def assert_serves(read, wanted):
    """A reader gets the good value within a time that no query could take."""
    got = []
    reader = threading.Thread(target=lambda: got.append(read()), daemon=True)
    reader.start()
    reader.join(5)
    assert got == [wanted]


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.servers),
        pytest.param("mariadb", marks=pytest.mark.servers),
    ]
)
def line(request, tmp_path, tcp_proxy):
    """The URL of a database; the same through something; that breaks and mends."""
    kind = request.param
    url = request.getfixturevalue(f"{kind}_url")
    if kind == "sqlite":
        here, away = tmp_path / "config.db", tmp_path / "away.db"
        return url, url, lambda: here.rename(away), lambda: away.rename(here)
    server = request.getfixturevalue(f"{kind}_server")
    proxy = tcp_proxy(server.port)
    behind = url.replace(f":{server.port}", f":{proxy.port}")

    def cut():
        proxy.refuse()
        proxy.cut()

    return url, behind, cut, proxy.listen


def test_the_last_good_is_served_while_the_database_is_down(line, original, open_store):
    """It is an outcome and a state, not an error for who reads; then it recovers."""
    url, behind, cut, mend = line
    open_store(url).close()
    other, source = original(url), DatabaseSource(behind, timeout=2)
    other.put(KEY, text(1))
    with Runtime(source, modules={"fake": FakeModule}) as runtime:
        source.close()
        cut()
        outcome = runtime.reload()

        assert outcome.reason == "source_unavailable"
        assert runtime.status()["state"] == "degraded"
        assert_serves(lambda: runtime.snapshot.document.modules["m"].config["v"], 1)
        with pytest.raises(SourceUnavailableError):
            source.hash()
        mend()
        other.put(KEY, text(2))
        runtime.reload()
        assert runtime.module("m").config["v"] == 2
        assert runtime.status()["state"] == "healthy"
    source.close()


def test_readers_do_not_wait_for_a_query(database_url, original, open_store):
    """While a read of the database hangs, snapshot and history are there."""
    open_store(database_url)
    other, source = original(database_url), Hangs(database_url)
    other.put(KEY, text(1))
    with Runtime(source, modules={"fake": FakeModule}) as runtime:
        source.gate = gate = threading.Event()
        other.put(KEY, text(2))
        loader = threading.Thread(target=runtime.reload)
        loader.start()

        assert_serves(lambda: runtime.snapshot.document.modules["m"].config["v"], 1)
        assert_serves(lambda: runtime.history(1)[0].version, 2)
        gate.set()
        loader.join()
        wait_until(lambda: runtime.module("m").config["v"] == 2, "the change")
    source.close()


@pytest.mark.parametrize("how", ["fails", "hangs"])
def test_the_oracle_sees_a_reader_that_depends_on_the_database(how):
    """Neither an error nor a lock across a query would go unseen."""
    gate, down = threading.Event(), threading.Event()

    def query():
        if down.is_set():
            if how == "hangs":
                gate.wait(30)
            raise ConnectionError("down")
        return 1

    def read():
        try:
            return broken.read()
        except ConnectionError as exc:
            return exc

    broken = ExpiresWhatItHas(query)
    down.set()

    with pytest.raises(AssertionError):
        assert_serves(read, 1)
    gate.set()
