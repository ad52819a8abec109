"""What an answer may look like, byte by byte, and what it may not."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from midflight.errors import SourceUnavailableError
from midflight.testing import wait_until
from midflight_http import HttpSource

OK = b"HTTP/1.1 200 OK\r\n"
TEXT = b"shop: 5\n"
LENGTH = b"Content-Length: 8\r\n"
PACKED, PLAIN = b"Content-Encoding: gzip\r\n", b"Content-Encoding: identity\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@contextlib.contextmanager
def answering(*answers):
    """Yield the URL of a server that gives each connection one of the answers."""
    asked: list[bytes] = []

    def serve():
        for answer in answers:
            link, _ = server.accept()
            with link:
                asked.append(link.recv(1 << 16))
                link.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a.yaml", asked
        thread.join(10)


@pytest.mark.parametrize(
    "answer",
    [
        OK + LENGTH + b"\r\n" + TEXT,
        OK + LENGTH + LENGTH + b"\r\n" + TEXT,
        OK + CHUNKED + b"\r\n3\r\nsho\r\n5;x=y\r\np: 5\n\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\n" + TEXT,
        b"HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n"
        + OK
        + LENGTH
        + b"\r\n"
        + TEXT,
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + LENGTH + b"\r\n" + TEXT,
    ],
    ids=["length", "twice", "chunks", "old", "hints", "continue"],
)
def test_a_whole_text_is_read(answer):
    """Each way to say where it ends counts, and what comes before is passed over."""
    with answering(answer, OK + LENGTH + b"\r\n" + TEXT) as (url, _):
        source = HttpSource(url)

        assert source.hash() == source.hash()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"", "gave no answer"),
        (OK[:-4], "gave no answer"),
        (OK + LENGTH + b"\r\n" + TEXT[:-1], "without sending complete message body"),
        (OK + CHUNKED + b"\r\n8\r\nshop: 5", "incomplete chunked read"),
        (OK + CHUNKED + b"\r\n8\r\n" + TEXT + b"\r\n", "incomplete chunked read"),
        (OK + CHUNKED + b"\r\n-8\r\n" + TEXT, "illegal chunk header"),
        (OK + LENGTH + b"Content-Length: 7\r\n\r\n" + TEXT, "conflicting"),
        (OK + b"Content-Length: +8\r\n\r\n" + TEXT, "bad Content-Length"),
        (OK + b"Transfer-Encoding: gzip\r\n\r\n" + TEXT, "Only"),
        (OK + PACKED + PLAIN + LENGTH + b"\r\n" + TEXT, "compressed"),
        (OK + PLAIN + PACKED + LENGTH + b"\r\n" + TEXT, "compressed"),
        (OK + b"Bad Name: 1\r\n" + LENGTH + b"\r\n" + TEXT, "illegal header line"),
        (OK + b"no header\r\n" + LENGTH + b"\r\n" + TEXT, "illegal header line"),
        (b"HTTP/2 200 OK\r\n" + LENGTH + b"\r\n" + TEXT, "illegal status line"),
        (b"<html>" + TEXT + b"\r\n\r\n", "illegal status line"),
        (b"HTTP/1.1 101 No\r\n\r\n" + TEXT, "(?i)switch"),
        (OK + b"X: " + b"x" * (1 << 17), "too long"),
    ],
)
def test_an_answer_that_is_no_http_is_unavailable(answer, text):
    """What is cut short, contradicts itself or is junk gives no text."""
    with (
        answering(answer) as (url, _),
        pytest.raises(SourceUnavailableError, match=text),
    ):
        HttpSource(url).hash()


def test_another_protocol_is_no_answer():
    """A server that takes up an `Upgrade` of the user's has not served the text."""
    headers = {"Connection": "upgrade", "Upgrade": "websocket"}
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" + TEXT
    with (
        answering(answer) as (url, _),
        pytest.raises(SourceUnavailableError, match="status 101"),
    ):
        HttpSource(url, headers=headers).hash()


@pytest.mark.parametrize(
    "tags",
    [
        (b'W/"a"', b'"b"'),
        (b'"a"', b'W/"b"'),
        (b'"a"', b'"b"'),
        (b"", b'"b"'),
        (b'"a", "b"',),
        (b'"a"b"',),
    ],
)
def test_an_etag_that_is_said_twice_is_none(tags):
    """Whatever a server means by two, neither of them is a proof."""
    said = b"".join(b"ETag: " + tag + b"\r\n" for tag in tags)
    answer = OK + LENGTH + said + b"\r\n" + TEXT
    with answering(answer, answer) as (url, asked):
        source = HttpSource(url)
        source.hash()
        source.hash()

    assert b"If-None-Match" not in asked[1]


@pytest.mark.parametrize("said", [b"", LENGTH, PACKED, CHUNKED])
def test_the_headers_of_a_text_that_is_known_do_not_count(said):
    """A 304 has no text: how one would be sent, nobody needs to know."""
    first = OK + LENGTH + b'ETag: "a"\r\n\r\n' + TEXT
    with answering(first, b"HTTP/1.1 304 Known\r\n" + said + b"\r\n") as (url, asked):
        source = HttpSource(url)

        assert source.hash() == source.hash()
    assert b'If-None-Match: "a"\r\n' in asked[1]


def test_a_stream_may_have_any_header():
    """A header that is no ASCII, which a read passes over, ends no stream either."""
    kind = b"Content-Type: text/event-stream\r\n"
    stream = OK + kind + b"Server: M\xfcller\r\n\r\ndata: one\n\n"
    hints: list[int] = []
    with answering(stream) as (url, _):
        source = HttpSource(url, sse="/events", poll=60)
        with source.watch(lambda: hints.append(1)):
            wait_until(lambda: len(hints) == 2)


def test_hints_of_an_answer_have_a_limit():
    """A server that only ever promises an answer is not waited for."""
    hint = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    stopped = threading.Event()

    def serve():
        link, _ = server.accept()
        with link, contextlib.suppress(OSError):
            while not stopped.wait(0.01):
                link.sendall(hint * 100)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        with pytest.raises(SourceUnavailableError, match="no whole answer within"):
            HttpSource(f"http://127.0.0.1:{port}/a.yaml", timeout=0.3).hash()
        stopped.set()
        thread.join(10)


def test_a_request_says_what_it_is_for(page):
    """It has a host and no packed answer; all else is up to the user, in any case."""
    answer = OK + LENGTH + b"\r\n" + TEXT
    headers = {"accept": "text/yaml", "host": "other.example", "X-API-Key": "k"}
    with answering(answer, answer) as (url, asked):
        HttpSource(url).hash()
        HttpSource(url, headers=headers).hash()
    plain, own = (request.decode().splitlines() for request in asked)

    assert plain[0] == "GET /a.yaml HTTP/1.1"
    assert plain[1] == f"Host: {url.split('/')[2]}"
    assert plain[2:] == ["Accept-Encoding: identity", ""]
    assert not [line for line in own if line.startswith(("Host:", "Accept:"))]
    assert {"host: other.example", "accept: text/yaml", "X-API-Key: k"} <= set(own)
