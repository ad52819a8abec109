"""A running service follows its key through what happens to etcd."""

from __future__ import annotations

import concurrent.futures
import http.server
import shutil
import threading
from typing import Any

import pytest

from midflight import Runtime
from midflight.errors import SourceUnavailableError
from midflight.testing import TcpProxy, free_port, wait_until
from midflight_etcd import EtcdSource

CONVERGES = 3.0  # s


@pytest.fixture
def proxy(etcd):
    """A network between the service and etcd."""
    with TcpProxy(etcd.port) as proxy:
        yield proxy


@pytest.fixture
def behind(store, proxy):
    """A service that follows the key through that network."""
    uri = f"etcd://127.0.0.1:{proxy.port}?timeout=1#{store.key}"
    with Runtime(uri, watch=True, sweep=0.5, backoff=0.5) as runtime:
        yield runtime


def test_a_compaction_while_disconnected_loses_nothing(store, proxy, behind):
    """Revisions that were compacted away while nobody watched are not needed."""
    proxy.refuse()
    proxy.cut()
    for _ in range(5):
        store.change()
    store.server.ctl("compact", str(store.revision()))
    assert not store.shows(behind)
    proxy.listen()

    wait_until(lambda: store.shows(behind), "the change", CONVERGES)


def test_a_watch_outlives_compactions(store, running):
    """A watch goes on by push after the revision it began at was compacted."""
    for _ in range(3):
        store.change()
        store.server.ctl("compact", str(store.revision()))
        store.change()

        wait_until(lambda: store.shows(running), "the change", CONVERGES)


def test_a_silent_watch_is_begun_anew(store, proxy, caplog):
    """A watch that died without a word is replaced, and that is no failure."""
    hints = []
    source = EtcdSource(f"etcd://127.0.0.1:{proxy.port}?timeout=0.2#{store.key}")
    with source.watch(lambda: hints.append(1)):
        wait_until(lambda: len(hints) == 1, "a first watch")
        proxy.drop()
        store.change()

        wait_until(lambda: len(hints) > 1, "a second watch", 20)
    assert "not followed" not in caplog.text


def test_a_cluster_that_counts_anew_is_followed(store, running):
    """After a restore from nothing the same revision may mean another document."""
    for _ in range(5):
        store.change()
    before = running.read()[1].version
    store.server.kill()
    shutil.rmtree(store.server.folder / "data")
    store.server.start()
    store.change()

    wait_until(lambda: store.shows(running), "the change", CONVERGES)
    assert running.read()[1].version < before


def test_a_cluster_that_counts_alike_is_followed(alone):
    """One that was made anew may give another text the same revision."""
    with TcpProxy(alone.server.port) as proxy:
        uri = f"etcd://127.0.0.1:{proxy.port}#{alone.key}"
        with Runtime(uri, watch=True, sweep=600) as runtime:
            before = runtime.read()[1].version
            proxy.refuse()
            proxy.cut()
            alone.server.kill()
            shutil.rmtree(alone.server.folder / "data")
            alone.server.start()
            alone.change()
            proxy.listen()

            wait_until(lambda: alone.shows(runtime), "the change", 15)
            assert runtime.read()[1].version == before


def test_a_dead_member_is_passed_over(store):
    """Of several hosts, the first that takes a connection serves."""
    hosts = f"127.0.0.1:{free_port()},{store.server.address}"
    with Runtime(f"etcd://{hosts}#{store.key}", watch=True, sweep=600) as runtime:
        store.change()

        wait_until(lambda: store.shows(runtime), "the change", CONVERGES)


def test_a_frozen_member_is_passed_over(store, proxy):
    """A host that takes connections and does not answer is asked last from then on."""
    hosts = f"127.0.0.1:{proxy.port},{store.server.address}"
    source = EtcdSource(f"etcd://{hosts}#{store.key}", timeout=1)
    proxy.freeze()
    with Runtime(source, wait=5) as runtime:
        assert store.shows(runtime)


def test_a_deleted_key_keeps_the_last_good(store, running):
    """A key that is gone is told, and nothing is stopped; it may come back."""
    store.delete()
    wait_until(lambda: running.status()["sources"][0]["error"], "an error", CONVERGES)

    assert "there is no such key" in str(running.status()["sources"][0]["error"])
    assert store.shows(running)

    store.change()
    wait_until(lambda: store.shows(running), "the change", CONVERGES)


def test_what_is_no_etcd_is_named(store):
    """Another server on that port, or a gateway that is off, is told as such."""
    with http.server.HTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler
    ) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        with pytest.raises(SourceUnavailableError, match="not etcd's gateway"):
            EtcdSource(f"etcd://127.0.0.1:{other.server_port}#{store.key}").hash()
        thread.join()


# -- what an event tells -------------------------------------------------------------


def told(source, change, act):
    """Change what a source reads; return what `act` gives within the hint of that."""
    hints: list[int] = []
    found: list[Any] = []

    def notify():
        hints.append(1)
        if len(hints) > 1 and not found:  # the first is of the connection alone
            found.append(act())

    with source.watch(notify):
        wait_until(lambda: hints, "a first hint")
        change()
        wait_until(lambda: found, "what is loaded within a hint")
    return found[0]


def test_what_an_event_tells_is_loaded_without_a_read(store, proxy):
    """Within a hint the event has text and revision: no network is needed."""
    source = EtcdSource(f"etcd://127.0.0.1:{proxy.port}?timeout=0.5#{store.key}")
    runtime = Runtime(source)

    def load():
        proxy.freeze()
        return source.load(runtime)

    loaded = told(source, store.change, load)

    assert loaded.document.sections["shop"]["every"] == store.number + 0.5
    assert loaded.token == EtcdSource(store.uri).hash()


def test_an_event_that_comes_late_brings_nothing_back(store):
    """What another thread read meanwhile is newer: then the event does not count."""
    source, runtime = store.source, Runtime(store.source)

    def load():
        store.change()
        with concurrent.futures.ThreadPoolExecutor(1) as others:
            newest = others.submit(source.load, runtime).result()
        return source.load(runtime), newest

    loaded, newest = told(source, store.change, load)

    assert newest.document.sections["shop"]["every"] == store.number + 0.5
    assert loaded.version == newest.version
