from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from midflight import Document, Runtime
from midflight.errors import (
    ConflictError,
    PluginError,
    SourceUnavailableError,
    UnknownOutcomeError,
)
from midflight.testing import TcpProxy, free_port, wait_until
from midflight_nats import NatsSource

TIMES: dict[str, Any] = {"watch": True, "sweep": 0.5, "backoff": 0.5}


@pytest.fixture
def runtime(lone_bucket):
    """A running instance that follows the key `shop`."""
    lone_bucket.put("rate: 1")
    with Runtime(lone_bucket.server.url(lone_bucket.name), **TIMES) as runtime:
        yield runtime


def rate(runtime):
    """Return what is in force."""
    return runtime.snapshot.document.sections["rate"]


def error(runtime):
    """Return why the source cannot be read, nothing if it can."""
    return runtime.status()["sources"][0]["error"]


def test_a_change_during_an_outage_is_found(runtime, own, lone_bucket):
    """Killed, restarted and changed, the store is followed again."""
    own.kill()
    own.start()
    lone_bucket.put("rate: 2")

    wait_until(lambda: rate(runtime) == 2, "the change", 15)


@pytest.mark.parametrize("act", ["delete", "purge"])
def test_a_deletion_is_no_empty_configuration(runtime, lone_bucket, act):
    """Both kinds of marker mean that there is no key; the last good stays."""
    getattr(lone_bucket, act)()
    wait_until(lambda: error(runtime), "an error", 15)

    assert "there is no such key" in error(runtime)
    assert rate(runtime) == 1
    lone_bucket.put("rate: 2")
    wait_until(lambda: rate(runtime) == 2, "the next configuration", 15)


def test_a_bucket_made_anew_is_read(runtime, lone_bucket):
    """Without its bucket what runs goes on; the same revision may then mean another."""
    lone_bucket.drop()
    assert not runtime.reload().ok
    assert "`nats kv add` makes the bucket" in error(runtime)
    assert rate(runtime) == 1
    lone_bucket.make()
    lone_bucket.put("rate: 2")

    wait_until(lambda: rate(runtime) == 2, "the configuration of the new bucket", 15)


@pytest.mark.parametrize("is_anew", [True, False], ids=["anew", "purged"])
def test_a_bucket_without_a_revision_has_no_such_key(runtime, lone_bucket, is_anew):
    """One that was made anew, or whose stream was purged; its next put is followed."""
    if is_anew:
        lone_bucket.drop()
        lone_bucket.make()
    else:
        stream = f"KV_{lone_bucket.name}"
        lone_bucket.server.do(lambda jetstream: jetstream.purge_stream(stream))
    wait_until(lambda: "there is no such key" in str(error(runtime)), "the error", 15)

    assert rate(runtime) == 1
    lone_bucket.put("rate: 2")
    wait_until(lambda: rate(runtime) == 2, "the next configuration", 15)


def test_the_token_of_a_bucket_made_anew_is_another(lone_bucket):
    """The same revision of another bucket is not taken for what was read."""
    source = NatsSource(lone_bucket.server.url(lone_bucket.name))
    tokens = set()
    for number in range(2):
        lone_bucket.put(f"rate: {number}")
        tokens.add(asyncio.run(source.hash()))
        lone_bucket.drop()
        lone_bucket.make()

    assert len(tokens) == 2


def test_a_deleted_key_can_be_put(bucket):
    """A put on no version takes the place of what was deleted, and of nothing else."""
    bucket.put("rate: 1")
    runtime = Runtime(bucket.server.url(bucket.name))
    document = Document.from_mapping({"rate": 2})
    with pytest.raises(ConflictError):
        runtime.put(document, expected_version=None)
    bucket.delete()
    version = runtime.put(document, expected_version=None)

    assert runtime.read()[0] == document
    assert [each.version for each in runtime.history()] == [version, 1]


def test_history_says_who_and_why(bucket):
    """Author and message come back whatever is in them; others' revisions have none."""
    bucket.put("rate: 1")
    runtime = Runtime(bucket.server.url(bucket.name))
    document, said = Document.from_mapping({"rate": 2}), {"author": "Ada Lövelace"}
    said["message"] = "why:\r\n100 % \u2603"
    runtime.put(document, expected_version=1, **said)
    newest, first = runtime.history()

    assert {"author": newest.author, "message": newest.message} == said
    assert (newest.version, newest.digest) == (2, document.digest)
    assert (first.version, first.author, first.digest) == (1, "", "")
    assert runtime.read()[1].author == said["author"]
    assert runtime.read_version(1)[0].sections == {"rate": 1}
    bucket.delete()
    for strange in (3, 7, "first", 2**63, 2**64):
        with pytest.raises(KeyError, match=f"no version {strange}"):
            runtime.read_version(strange)


def test_history_is_what_the_bucket_keeps(bucket):
    """Of twenty revisions a bucket of ten lists ten, beside other keys."""
    for number in range(20):
        bucket.put(f"rate: {number}")
        bucket.put("x", key="other")
    runtime = Runtime(bucket.server.url(bucket.name))

    assert [each.version for each in runtime.history()] == [*range(39, 19, -2)]
    with pytest.raises(KeyError):
        runtime.read_version(40)  # a revision of the other key


def test_a_document_that_is_there_makes_no_revision(bucket):
    """A put of what is there leaves its comments alone."""
    bucket.put("# why\nrate: 1\n")
    runtime = Runtime(bucket.server.url(bucket.name))
    document, loaded = runtime.read()

    assert runtime.put(document, expected_version=loaded.version) == loaded.version
    assert bucket.get() == b"# why\nrate: 1\n"


def test_what_is_too_large_is_told_as_such(bucket):
    """A text that the server does not take was not stored, and that is known."""
    bucket.put("rate: 1")
    runtime = Runtime(bucket.server.url(bucket.name))
    large = Document.from_mapping({"text": "x" * 2_000_000})

    with pytest.raises(SourceUnavailableError, match="payload"):
        runtime.put(large, expected_version=1)


def test_a_lost_answer_is_told_as_such(shared, bucket):
    """Nobody can tell whether a put was stored whose answer did not come."""
    bucket.put("rate: 1")
    with TcpProxy(shared.port) as proxy:
        url = shared.url(bucket.name, port=proxy.port, query="?timeout=0.5")
        source = NatsSource(url)
        runtime = Runtime(source)

        class Meddling:
            """A runtime that loses the network between read and write of a put."""

            def parse(self, data, format, name):  # noqa: A002  # the hook's name
                proxy.freeze()
                return runtime.parse(data, format, name)

        document = Document.from_mapping({"rate": 2})
        meddling: Any = Meddling()
        coroutine = source.put(document, 1, "", "", None, meddling)
        with pytest.raises(UnknownOutcomeError):
            asyncio.run(coroutine)


def test_a_connection_that_died_in_silence_is_replaced(shared, bucket):
    """Neither FIN nor reset arrives; the client asks for life, and connects anew."""
    bucket.put("rate: 1")
    with TcpProxy(shared.port) as proxy:
        url = shared.url(bucket.name, port=proxy.port, query="?timeout=0.5")
        with Runtime(url, watch=True, sweep=60, backoff=0.5) as runtime:
            proxy.drop()
            before = proxy.accepted
            wait_until(lambda: proxy.accepted > before, "the next connection", 20)
            bucket.put("rate: 2")
            wait_until(lambda: rate(runtime) == 2, "the change", 20)


def test_a_refused_password_is_not_shown(shared, bucket, caplog):
    """Neither error nor log has what the server refused."""
    caplog.set_level(logging.DEBUG)
    url = f"nats://ada:hush-hush@127.0.0.1:{shared.port}#{bucket.name}/shop"
    runtime = Runtime(url)
    with pytest.raises(SourceUnavailableError, match="Authorization") as caught:
        runtime.read()

    assert "hush" not in f"{caught.value!r} {caplog.text} {runtime.status()}"


@pytest.mark.parametrize(
    "url",
    [
        "nats://ada:hush@127.0.0.1",
        "nats://ada:hush@127.0.0.1#bucket",
        "nats://ada:hush@127.0.0.1?colour=red#bucket/key",
        "nats://ada:hush@127.0.0.1:none#bucket/key",
        "nats://ada:hush@,127.0.0.1#bucket/key",
        "nats://ada:hush@127.0.0.1#/key",
        "nats://ada:hush@127.0.0.1#bucket/*",
        "nats://ada:hush@127.0.0.1#b.cket/key",
        "http://ada:hush@127.0.0.1#bucket/key",
        "nats://ada:hush#1@127.0.0.1#bucket/key",
        "nats://ada:hush/1@127.0.0.1#bucket/key",
        "nats://ada:hush?1@127.0.0.1#bucket/key",
        "nats://ada:1#hush@127.0.0.1#bucket/key",
        "nats://ada:1/hush@127.0.0.1#bucket/key",
        "nats://ada:1?hush@127.0.0.1#bucket/key",
    ],
)
def test_what_is_wrong_in_a_url_is_said_without_a_password(url):
    """Each mistake is told when the source is made, in words that hide the login."""
    with pytest.raises(ValueError, match="is written as nats://") as caught:
        NatsSource(url)

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("password", ["hu@sh", "hu:sh", "hu[sh]", "hu\u2100sh"])
def test_a_password_may_have_any_other_character(password):
    """Nothing else of it needs to be encoded, and none of it is in the name."""
    source = NatsSource(f"nats://ada:{password}@a.b:1,[::1]/?timeout=1#bucket/k%3Dey")

    assert source.name == "nats://a.b:1,[::1]#bucket/k=ey"


def test_a_reference_that_leads_nowhere_is_named(tmp_path):
    """An unset variable and a missing or empty file are told by name."""
    (tmp_path / "empty").touch()
    for name in ("NOT_SET", f"file:{tmp_path}/none", f"file:{tmp_path}/empty"):
        with pytest.raises(PluginError, match=f"`.{{{name}}}` leads nowhere"):
            NatsSource(f"nats://${{{name}}}@127.0.0.1#bucket/key")


@pytest.mark.parametrize(
    ("host", "why"), [("no-such.invalid", "Errno"), ("127.0.0.1:9", "failed")]
)
def test_why_no_server_is_there_is_said(host, why):
    """A name that leads nowhere and a server that is down are told apart."""
    runtime = Runtime(f"nats://{host}#bucket/key")

    with pytest.raises(SourceUnavailableError, match=f"no servers.*{why}"):
        runtime.read()


def test_who_gave_up_connects_no_more(monkeypatch):
    """What still connects when the time is over is ended, and only then closed."""
    seen = []

    class Slow:
        """A client whose server says nothing."""

        async def connect(self, **_options):
            try:
                await asyncio.Event().wait()
            finally:
                seen.append("ended")

        async def close(self):
            seen.append("closed")

    async def read():
        with pytest.raises(SourceUnavailableError):
            await NatsSource("nats://127.0.0.1?timeout=0.1#bucket/key").hash()
        return [*seen]

    monkeypatch.setattr("nats.aio.client.Client", Slow)

    assert asyncio.run(read()) == ["ended", "closed"]


def test_one_of_several_servers_is_enough(shared, bucket, password):
    """Of a cluster's servers, those that are away are passed over."""
    bucket.put("rate: 1")
    bare = f"nats://127.0.0.1:{free_port()},127.0.0.1:{shared.port}#{bucket.name}/shop"
    source = NatsSource(bare.replace("//", "//ada@", 1), password=password)

    assert Runtime(source).read()[0].sections == {"rate": 1}


def test_a_file_holds_the_password(shared, bucket, tmp_path, password):
    """The first line of a file is what a reference to it stands for."""
    bucket.put("rate: 1")
    (tmp_path / "pw").write_text(f"{password}\nmore\n")
    login = f"ada:${{file:{tmp_path}/pw}}"
    url = f"nats://{login}@127.0.0.1:{shared.port}#{bucket.name}/shop"

    assert Runtime(url).read()[0].sections == {"rate": 1}


# -- what an event tells -------------------------------------------------------------


@contextlib.contextmanager
def looping():
    """Give a loop that runs on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        left = asyncio.all_tasks(loop)  # the client leaves some behind
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


def told(source, change, act):
    """Change what a source reads; return what `act` gives within the hint of that."""
    hints: list[int] = []
    found: list[Any] = []

    def notify():
        hints.append(1)
        if len(hints) > 1 and not found:  # the first is of the connection alone
            found.append(act())

    with looping() as loop:
        watch = asyncio.run_coroutine_threadsafe(source.watch(notify), loop)
        with watch.result(5):
            wait_until(lambda: hints, "a first hint")
            change()
            wait_until(lambda: found, "what is loaded within a hint")
    return found[0]


def test_what_an_event_tells_is_loaded_without_a_read(shared, bucket):
    """Within a hint the event has text and revision: no network is needed."""
    bucket.put("rate: 1")
    with TcpProxy(shared.port) as proxy:
        url = shared.url(bucket.name, port=proxy.port, query="?timeout=0.5")
        source = NatsSource(url)
        runtime = Runtime(source)

        def load():
            proxy.freeze()
            return asyncio.run(source.load(runtime))

        loaded = told(source, lambda: bucket.put("rate: 2"), load)

    assert loaded.document.sections == {"rate": 2}
    assert loaded.token == asyncio.run(NatsSource(shared.url(bucket.name)).hash())


def test_an_event_that_comes_late_brings_nothing_back(shared, bucket):
    """What another thread read meanwhile is newer: then the event does not count."""
    bucket.put("rate: 1")
    source = NatsSource(shared.url(bucket.name))
    runtime = Runtime(source)

    def read():
        return asyncio.run(source.load(runtime))

    def load():
        bucket.put("rate: 3")
        with concurrent.futures.ThreadPoolExecutor(1) as others:
            newest = others.submit(read).result()
        return read(), newest

    loaded, newest = told(source, lambda: bucket.put("rate: 2"), load)

    assert newest.document.sections == {"rate": 3}
    assert loaded.version == newest.version


def test_an_event_counts_for_its_own_key(shared, bucket):
    """Another key that is read within the hint, as in a composite, has its own text."""
    bucket.put("rate: 1")
    bucket.put("other: 1", key="other")
    source = NatsSource(shared.url(bucket.name))
    other = NatsSource(shared.url(bucket.name, key="other"))
    runtime = Runtime(source)

    def load():
        return [asyncio.run(each.load(runtime)) for each in (other, source)]

    loaded = told(source, lambda: bucket.put("rate: 2"), load)

    assert [each.document.sections for each in loaded] == [{"other": 1}, {"rate": 2}]


# -- how it ends ---------------------------------------------------------------------


def test_a_watch_ends_though_its_cancellation_is_lost(shared, bucket, monkeypatch):
    """Who leaves it while it subscribes leaves no connection behind.

    `wait_for` of Python 3.11 swallows a cancellation that comes with the answer.
    """
    asked, closed = threading.Event(), []
    subscribe, close = JetStreamContext.subscribe, Client.close

    async def deaf(self, *args, **options):
        asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return await subscribe(self, *args, **options)

    async def noting(self):
        closed.append(self)
        await close(self)

    monkeypatch.setattr(JetStreamContext, "subscribe", deaf)
    monkeypatch.setattr(Client, "close", noting)
    source = NatsSource(shared.url(bucket.name))

    with looping() as loop:
        watch = asyncio.run_coroutine_threadsafe(source.watch(lambda: None), loop)
        with watch.result(5):
            assert asked.wait(5)

        assert len(closed) == 1
