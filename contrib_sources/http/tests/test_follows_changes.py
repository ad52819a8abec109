"""What a read costs, and what counts as a change."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from midflight import Runtime
from midflight.errors import SourceUnavailableError
from midflight.testing import wait_until
from midflight_http import HttpSource, HttpsSource


def test_what_did_not_change_is_not_sent_again(page):
    """A strong ETag makes every further look an answer without a body."""
    source = page.source()
    with Runtime(source) as runtime:
        for _ in range(3):
            runtime.reload()
    source.hash()
    first, *others = page.requests()

    assert (first["status"], first["sent"]) == (200, page.file.stat().st_size)
    assert {(each["status"], each["sent"]) for each in others} == {(304, 0)}
    assert len(others) >= 4


def test_the_version_is_the_strong_etag(page):
    """What the server calls a version is one; a weak ETag is none."""
    with Runtime(page.source()) as strong, Runtime(page.source("weak")) as weak:
        versions = strong.read()[1].version, weak.read()[1].version

    assert str(versions[0]).startswith('"')
    assert versions[1] is None


@pytest.mark.parametrize("way", ["young", "lying", "foreign"])
def test_an_etag_is_believed_only_where_it_can_be(page, way):
    """One of this very second, one of many texts, or an odd one hides no change."""
    source, tokens = page.source(way), set()
    for _ in range(3):
        tokens.add(source.hash())
        page.change()

    assert len(tokens) == 3


def test_the_etag_of_an_old_text_is_believed(page):
    """A date long before the answer makes an ETag of whole seconds a proof."""
    source = page.source("old")

    assert source.hash() == source.hash()
    assert [each["status"] for each in page.requests("old")] == [200, 304]


def test_an_answer_nobody_asked_for_is_none(page):
    """A header of the user's own cannot turn a 304 into an empty text."""
    source = page.source("weak", headers={"If-None-Match": "*"})

    with pytest.raises(SourceUnavailableError, match="status 304"):
        source.hash()


def test_a_stream_needs_no_length(page):
    """Events count although the server does not say where their stream ends."""
    hints = []
    with page.source(sse=f"/bare/{page.file.name}").watch(lambda: hints.append(1)):
        wait_until(lambda: len(hints) == 3)


@pytest.mark.parametrize("way", ["weak", "untagged"])
def test_weak_marks_prove_nothing(page, way):
    """A weak ETag and a date may stand for two texts, so they are not asked for."""
    source = page.source(way)
    before = source.hash()
    page.change()

    assert source.hash() != before
    asked = {name for each in page.requests(way) for name in each["headers"]}
    assert not {"If-None-Match", "If-Modified-Since"} & asked


def test_events_come_without_a_look(page):
    """With `sse`, the server's event is what makes the source read."""
    source = page.source(sse=f"/events/{page.file.name}?as=events", poll=600)
    with Runtime(source, watch=True, sweep=600) as runtime:
        wait_until(
            lambda: len(page.server.requests(f"/events/{page.file.name}?as=events"))
        )
        generation = runtime.snapshot.generation
        for number in range(1, 4):
            page.change()
            runtime.wait(generation + number, timeout=5)
            assert runtime.snapshot.document.sections["shop"]["opened"] == number + 1

    assert len(page.requests()) < 30


def test_a_stream_that_is_none_is_no_hint(page, caplog):
    """A page in the place of the stream is told, and the sweep goes on."""
    source = page.source(sse=f"/plain/{page.file.name}", poll=0.1)
    with Runtime(source, watch=True, sweep=0.1) as runtime:
        wait_until(lambda: "is not followed" in caplog.text)
        due = runtime.snapshot.generation + 1
        page.change()
        runtime.wait(due, timeout=5)

    assert "text/event-stream" in caplog.text


@pytest.mark.parametrize(
    ("suffix", "way", "options", "text"),
    [
        (".json", "page", {}, '{"shop": {"opened": 1}}'),
        (".toml", "page", {}, "[shop]\nopened = 1"),
        (".YML", "page", {}, "shop: {opened: 1}"),
        (".cfg", "plain", {}, "shop: {opened: 1}"),
        (".cfg", "plain", {"format": "toml"}, "[shop]\nopened = 1"),
        (".yaml", "plain", {"format": "toml"}, "[shop]\nopened = 1"),
        ("", "json", {}, '{"shop": {"opened": 1}}'),
        ("-toml", "plain", {}, "shop: {opened: 1}"),
    ],
)
def test_knows_the_format(page, suffix, way, options, text):
    """An option says it, else the URL, else the content type; else it is YAML."""
    page.file = page.file.with_name(f"{page.file.stem}{suffix}")
    page.write(text)
    with Runtime(page.source(way, **options)) as runtime:
        assert runtime.snapshot.document.sections["shop"]["opened"] == 1


def test_a_uri_takes_options_behind_its_hash(page):
    """What stands behind `#` is for the source, and is not sent."""
    page.write('{"shop": 1}')
    rest = page.url().removeprefix("http:") + "#format=json&timeout=1.5&poll=0.5"
    source = HttpSource.from_uri(rest)

    assert source.hash().startswith("json ")
    assert source.name == page.url()
    assert HttpsSource.from_uri("//h.example/a.yaml").name == "https://h.example/a.yaml"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("ftp://h.example/a", {}),
        ("https:///pass:hush@h.example/a", {}),
        ("//h.example/a", {}),
        ("https://h.example:pass/hush", {}),
        ("https://ops:pass#hush@h.example/a", {}),
        ("https://ops:1#hush@h.example/a", {}),
        ("https://h.example/a", {"poll": "0"}),
        ("https://h.example/a", {"timeout": "soon"}),
        ("https://h.example/a", {"timeout": "inf"}),
        ("https://h.example/a", {"format": "xml"}),
        ("https://h.example/a", {"allow_private": "perhaps"}),
        ("https://h.example/a", {"sse": "https://else.example/events"}),
    ],
)
def test_wrong_options_are_refused_at_once(url, options):
    """A URL or an option that cannot work is an error, which repeats no URL."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # what it may not say is below
        HttpSource(url, **options)

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("password", ["hu#sh", "hu/sh", "hu?sh", "1#hush"])
def test_a_password_that_is_not_encoded_is_not_shown(password):
    """Where its `#` begins the options, what follows is not told as the name of one."""
    with pytest.raises(ValueError, match="of a password percent-encoded") as caught:
        HttpSource.from_uri(f"//ops:{password}@h.example/a.yaml")

    assert "sh" not in str(caught.value).replace("shop.yaml", "")


def test_the_first_address_that_answers_is_asked(page):
    """A host with a dead address beside a good one can be read."""

    def resolve(host, port, **_):
        kind = socket.SOCK_STREAM
        good = (socket.AF_INET, kind, 6, "", ("127.0.0.1", port))
        return [(socket.AF_INET6, kind, 6, "", ("::1", port, 0, 0)), good]

    source = HttpSource(page.url(host="config.example"), resolve=resolve)

    assert source.hash()
    host = page.requests()[-1]["headers"]["Host"]
    assert host == f"config.example:{page.server.port}"


@pytest.mark.parametrize("sse", ["", "/hung/"])
def test_a_watch_ends_while_the_server_hangs(page, sse):
    """Whoever leaves a watch does not wait for a server that says nothing."""
    way = "plain" if sse else "hung"
    source = page.source(way, timeout=30, sse=sse and sse + page.file.name)
    path = f"/hung/{page.file.name}"
    with source.watch(lambda: None):
        wait_until(lambda: page.server.requests(path))
        begun = time.monotonic()

    assert time.monotonic() - begun < 1
    assert not [each for each in threading.enumerate() if source.name in each.name]
