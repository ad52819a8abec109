from __future__ import annotations

import threading
from typing import Any

import pytest
from redis import Connection

from midflight import Document, Runtime
from midflight.errors import ConflictError, SourceUnavailableError, UnknownOutcomeError
from midflight.testing import TcpProxy, wait_until
from midflight_redis import RedisSource

TIMES: dict[str, Any] = {"watch": True, "sweep": 0.5, "backoff": 0.5}


@pytest.fixture
def client(own):
    """A client of the store, as its operator has one."""
    with own.client() as client:
        yield client


@pytest.fixture
def runtime(own, client):
    """A running instance that follows the key `shop`."""
    client.set("shop", "rate: 1")
    with Runtime(own.url("shop"), **TIMES) as runtime:
        yield runtime


def rate(runtime):
    """Return what is in force."""
    return runtime.snapshot.document.sections["rate"]


def test_a_flushed_store_is_no_empty_configuration(runtime, client):
    """`FLUSHALL` takes the key away; the last good stays, and the status says why."""
    client.flushall()
    wait_until(lambda: runtime.status()["sources"][0]["error"], "an error", 15)

    assert rate(runtime) == 1
    assert "there is no such key" in runtime.status()["sources"][0]["error"]
    client.set("shop", "rate: 2")
    wait_until(lambda: rate(runtime) == 2, "the next configuration", 15)


def test_a_restart_without_persistence_is_no_empty_configuration(runtime, own, client):
    """A store that forgot everything does not empty what runs."""
    own.kill()
    own.durable = False
    (own.folder / "appendonlydir").rename(own.folder / "lost")
    own.start()
    outcome = runtime.reload()

    assert outcome.reason == "source_unavailable"
    assert "there is no such key" in str(outcome.error)
    assert rate(runtime) == 1
    client.set("shop", "rate: 2")
    wait_until(lambda: rate(runtime) == 2, "the next configuration", 15)


def test_a_change_during_an_outage_is_found(runtime, own, client):
    """Killed, changed and restarted, the store is followed again."""
    own.kill()
    own.start()
    client.set("shop", "rate: 2")

    wait_until(lambda: rate(runtime) == 2, "the change", 15)


def test_a_replica_is_read_and_not_written(client, replica):
    """A put on a replica says what is wrong; the replica gives what the primary has."""
    client.set("shop", "rate: 1")
    with replica.client() as other:
        wait_until(lambda: other.get("shop"), "the replication", 20)
    document, loaded = Runtime(replica.url("shop")).read()

    with pytest.raises(SourceUnavailableError, match="read only replica"):
        put(replica.url("shop"), document, loaded.version)


def put(url, document, version, **options):
    """Put a document with one section more."""
    source = RedisSource(url, **options)
    changed = type(document).from_mapping({**document.as_mapping(), "more": 1})
    return source.put(changed, version, None, Runtime(source))


class Meddling:
    """A runtime that does something between the read and the write of a put."""

    def __init__(self, runtime, act):
        self.runtime, self.act = runtime, act

    def parse(self, data, format, name):  # noqa: A002  # the hook's name
        self.act()
        return self.runtime.parse(data, format, name)


@pytest.mark.parametrize("there", [True, False])
def test_a_writer_between_read_and_write_wins(own, client, there):
    """What somebody sets while a put is on its way is not overwritten."""
    source = RedisSource(own.url("shop"))
    runtime = Runtime(source)
    version = None
    if there:
        client.set("shop", "rate: 1")
        version = runtime.read()[1].version
    other: Any = Meddling(runtime, lambda: client.set("shop", "rate: 9"))

    with pytest.raises(ConflictError):
        source.put(Document.from_mapping({"rate": 2}), version, None, other)
    assert client.get("shop") == b"rate: 9"


def test_the_end_of_one_runtime_cuts_no_put_of_another(own, client):
    """`stop` closes what nobody uses, and leaves a put on its way alone."""
    source = RedisSource(own.url("shop"))
    other: Any = Meddling(Runtime(source), source.stop)
    source.put(Document.from_mapping({"rate": 2}), None, None, other)

    assert b'"rate": 2' in client.get("shop")


def test_a_lost_answer_is_told_as_such(own, client):
    """Nobody can tell whether a put was stored whose answer did not come."""
    client.set("shop", "rate: 1")
    document, loaded = Runtime(own.url("shop")).read()
    client.client_pause(60_000, all=False)  # writes wait, reads do not

    with pytest.raises(UnknownOutcomeError):
        put(own.url("shop"), document, loaded.version, timeout=0.3)
    client.client_unpause()


def test_a_put_makes_the_first_text(own, client):
    """Without a key, a put on no version makes it."""
    client.set("shop", "rate: 1")
    document, _ = Runtime(own.url("shop")).read()

    assert put(own.url("other"), document, None)
    assert Runtime(own.url("other")).read()[0].sections["more"] == 1


def test_a_key_of_another_type_is_named(own, client):
    """A list under the key is an error that names the key and the wrong type."""
    client.rpush("shop", "rate: 1")

    with pytest.raises(SourceUnavailableError, match=r"/0#shop: WRONGTYPE"):
        RedisSource(own.url("shop")).hash()


def test_a_connection_that_died_in_silence_is_replaced(own, client):
    """Neither FIN nor reset arrives; the watch asks for life, and connects anew."""
    client.set("shop", "rate: 1")
    hints = []
    with TcpProxy(own.port) as proxy:
        source = RedisSource(own.url("shop", port=proxy.port), timeout=0.3)
        with source.watch(lambda: hints.append(1)):
            wait_until(lambda: hints, "the first hint")
            proxy.drop()
            hints.clear()
            wait_until(lambda: hints, "the hint of the next connection")
            hints.clear()
            client.set("shop", "rate: 2")
            wait_until(lambda: hints, "a hint")

    assert proxy.accepted >= 2


def test_a_connection_that_is_made_anew_at_the_end_holds_nobody_up(
    own, client, monkeypatch, caplog
):
    """Cut before it waits, the client connects anew and waits: it is cut again."""
    client.set("shop", "rate: 1")
    waiting, wait = threading.Event(), Connection.can_read

    def late(self, timeout=0):
        waiting.set()
        wait_until(lambda: self._sock is None, "the cut", 20)
        return wait(self, timeout)

    monkeypatch.setattr(Connection, "can_read", late)
    with RedisSource(own.url("shop"), timeout=20).watch(lambda: None):
        assert waiting.wait(20)

    assert caplog.messages == []


def test_a_push_breaks_no_connection(own, client):
    """Whatever Redis tells, the same connection goes on telling."""
    client.set("shop", "rate: 1")
    hints = []
    with TcpProxy(own.port) as proxy:
        source = RedisSource(own.url("shop", port=proxy.port))
        with source.watch(lambda: hints.append(1)):
            wait_until(lambda: hints, "the first hint")
            for act in (client.flushall, *[lambda: client.set("shop", "rate: 2")] * 9):
                hints.clear()
                act()
                wait_until(lambda: hints, "a hint")

    assert proxy.accepted == 1


def test_a_quiet_connection_is_kept(own, client):
    """A server that answers is not taken for dead, however little happens."""
    client.set("shop", "rate: 1")
    hints = []
    with TcpProxy(own.port) as proxy:
        source = RedisSource(own.url("shop", port=proxy.port), timeout=0.05)
        with source.watch(lambda: hints.append(1)):
            wait_until(lambda: hints, "the first hint")
            client.config_resetstat()
            wait_until(lambda: pings(client) > 5, "signs of life")

    assert proxy.accepted == 1
    assert len(hints) == 1


def pings(client):
    """Return how many a server was sent since its figures were reset."""
    return client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0)
