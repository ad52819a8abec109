"""What a server, a name or a text may not do."""

from __future__ import annotations

import resource
import socket
import threading
import time
import traceback

import pytest

from midflight import Runtime, Secret
from midflight.errors import MidflightError, SourceUnavailableError
from midflight_http import HttpSource


def told(source):
    """Return what one read says is wrong."""
    with pytest.raises(SourceUnavailableError) as caught:
        source.hash()
    return str(caught.value)


@pytest.mark.parametrize(
    ("way", "text"),
    [
        ("redirect", "redirects are refused: give the URL it leads to .status 302."),
        ("gone", "there is no such text .status 410."),
        ("busy", "status 503"),
        ("unasked", "status 304"),
        ("private", "status 401"),
        ("torn", "without sending complete message body"),
        ("unframed", "may be cut short"),
        ("packed", "it is compressed, although nobody asked for that"),
    ],
)
def test_what_is_no_whole_text_is_unavailable(page, way, text):
    """Each answer but a whole text is told as what it is."""
    (page.server.folder / "allowed").touch()
    with pytest.raises(SourceUnavailableError, match=text):
        page.source(way).hash()


@pytest.mark.parametrize("way", ["hung", "trickle", "drip"])
def test_a_read_has_a_limit(page, way):
    """A server that sends nothing, or a byte now and then, is not waited for."""
    source, begun = page.source(way, timeout=0.3), time.monotonic()

    assert told(source).endswith(": there is no whole answer within 0.3 s")
    assert time.monotonic() - begun < 2


def test_a_missing_text_is_unavailable(page):
    """A status of 404 is no empty configuration, and has the URL."""
    page.file.unlink()

    assert told(page.source()) == f"{page.url()}: there is no such text (status 404)"


def test_redirects_are_not_followed(page):
    """Nobody asks where a redirect leads to."""
    told(page.source("redirect"))

    assert page.requests("plain") == []


@pytest.mark.parametrize(
    ("way", "text"),
    [("endless", "larger than `max_size`, 4194304 bytes"), ("bomb", "compressed")],
)
def test_a_text_has_a_limit_while_it_comes(page, way, text):
    """A text without an end, or one that unpacks to 1 GiB, costs no memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert text in told(page.source(way, max_size=4 << 20, timeout=20))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


# -- addresses -----------------------------------------------------------------------


def resolving(*addresses):
    """Return a resolver that gives one address after another, the last for ever."""
    left = list(addresses)

    def resolve(host, port, **_):
        address = left.pop(0) if len(left) > 1 else left[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    return resolve


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "2852039166",
        "0xa9.0xfe.0xa9.0xfe",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[::ffff:0:169.254.169.254]",
        "[::a9fe:a9fe]",
        "[64:ff9b:1::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fd00:ec2::23]",
        "168.63.129.16",
        "100.100.100.200",
    ],
)
def test_link_local_addresses_are_refused(host):
    """However an address is written, where a cloud hands out secrets nobody asks."""
    begun = time.monotonic()

    assert "link-local" in told(HttpSource(f"http://{host}/a.yaml"))
    assert time.monotonic() - begun < 1


def test_a_name_is_checked_where_it_leads(page):
    """A name that leads to a link-local address is refused, among good ones too."""
    for name in ("metadata.google.internal", "harmless.example"):
        source = HttpSource(page.url(host=name), resolve=resolving("169.254.169.254"))
        assert "link-local" in told(source)

    def both(host, port, **_):
        return [*resolving("127.0.0.1")(host, port), *resolving("fe80::1")(host, port)]

    assert "link-local" in told(HttpSource(page.url(host="a.example"), resolve=both))
    assert page.requests() == []


def test_the_address_that_was_checked_is_connected_to(page):
    """A name that changes its address between check and use gains nothing."""
    resolve = resolving("127.0.0.1", "169.254.169.254")
    source = HttpSource(page.url(host="rebinding.invalid"), resolve=resolve)

    assert source.hash()
    assert len(page.requests()) == 1
    assert "link-local" in told(source)


def test_private_addresses_can_be_refused(page):
    """With `allow_private: false` only the public net is asked."""
    assert "is private" in told(page.source(allow_private=False))
    assert "is private" in told(page.source(allow_private="no"))
    for host in ("[2002:7f00:1::]", "[64:ff9b::10.0.0.1]", "[::ffff:127.0.0.1]"):
        source = HttpSource(f"http://{host}/a.yaml", allow_private=False)
        assert "is private" in told(source)


@pytest.mark.parametrize("host", ["a..example", f"{'a' * 64}.example"])
def test_a_name_that_cannot_be_is_unavailable(host):
    """What the resolver refuses to look for is told as any other missing host."""
    assert "label" in told(HttpSource(f"http://{host}/a.yaml"))


def test_no_proxy_of_the_environment_is_asked(page, monkeypatch):
    """A proxy would connect to what was never checked."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert page.source().hash()


# -- secrets -------------------------------------------------------------------------


def test_no_secret_is_shown(page, caplog):
    """Password, header and query are sent, and stand in no name, error or log."""
    caplog.set_level("DEBUG")
    (page.server.folder / "allowed").write_text("Bearer t0p-secret\n")
    url = page.url("private", login="ops:pass%2Fword@") + "?sig=s1gned&x"
    headers = {"X-Key": Secret("wr0ng\nline")}
    shown = []
    for source in (HttpSource(url), HttpSource(url, headers=headers)):
        with pytest.raises(MidflightError) as caught:
            Runtime(source, watch=True).start()
        shown += [source.name, repr(source), str(caught.value), repr(caught.value)]
    shown.append(caplog.text)

    assert shown[0] == page.url("private", login="ops:***@") + "?***"
    for secret in ("pass/word", "pass%2Fword", "s1gned", "wr0ng", "cGFzcy93b3Jk"):
        assert [text for text in shown if secret in text] == []


@pytest.mark.parametrize(
    ("login", "shown"),
    [
        ("t0ken", "***"),
        ("t0ken:", "***"),
        (":", "***"),
        ("us%40er:pass", "us%40er:***"),
        ("z%C3%B6%2F:pass", "z%C3%B6%2F:***"),
        (":pass", ":***"),
    ],
)
def test_the_name_hides_who_logs_in(login, shown):
    """It has no password; a user without one may be a token, so it has none either."""
    source = HttpSource(f"http://{login}@h.example/a.yaml")

    assert source.name == f"http://{shown}@h.example/a.yaml"


@pytest.mark.parametrize("login", ["", "ops:s3cret@"])
@pytest.mark.parametrize("path", ["", "/", "//me@x/a.yaml", "/a@b:c"])
@pytest.mark.parametrize("query", ["s3cret@s3cret", "a=//b:s3cret@s3cret", "s3cret"])
def test_the_name_hides_the_query(login, path, query):
    """Neither a path that looks like a login nor a query that does changes that."""
    source = HttpSource(f"http://{login}h.example{path}?{query}")

    shown = login.replace("s3cret", "***")
    assert source.name == f"http://{shown}h.example{path}?***"


@pytest.mark.parametrize(
    "headers", [{"X": " s3cret"}, {"X": "s3cret "}, {"X": "s3\tcret"}, {"s3cret ": "x"}]
)
def test_a_header_that_cannot_be_sent_is_not_repeated(page, headers):
    """The error about it, and what lies behind that, have none of it."""
    with pytest.raises(SourceUnavailableError, match="a header is no line") as caught:
        page.source(headers=headers).hash()

    shown = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in shown.replace(repr(headers), "")


def test_an_authorization_that_is_no_text_is_told(page, tmp_path):
    """A file of bytes is an error of this source, as a missing one is."""
    (tmp_path / "auth").write_bytes(b"\xff\xfe")

    assert "utf-8" in told(page.source("private", auth_file=str(tmp_path / "auth")))


def test_headers_may_be_secrets(page):
    """A `Secret` among the headers is sent as what it hides."""
    (page.server.folder / "allowed").write_text("Bearer t0p-secret\n")
    headers = {"Authorization": Secret("Bearer t0p-secret")}

    assert page.source("private", headers=headers).hash()


def test_a_file_may_hold_the_authorization(page, tmp_path):
    """It is read at each request, so that a token can be exchanged."""
    (page.server.folder / "allowed").write_text("Bearer new\n")
    file = tmp_path / "auth"
    file.write_text("Bearer old\n")
    source = page.source("private", auth_file=str(file))

    assert "status 401" in told(source)
    file.write_text("Bearer new\n")
    assert source.hash()
    file.unlink()
    assert "No such file" in told(source)


def test_a_read_leaves_no_thread(page):
    """What limits the time of a read ends with it."""
    before = set(threading.enumerate())
    page.source().hash()
    (after,) = ({each for each in threading.enumerate() if each.is_alive()},)

    for each in after - before:
        each.join(5)
        assert not each.is_alive()
