"""An event with the whole text and its ETag stands for the read that it leads to."""

from __future__ import annotations

import contextlib
import hashlib
import http.client

import pytest

from midflight import Runtime
from midflight.errors import MidflightError, SourceUnavailableError
from midflight.testing import wait_until


def text(number):
    """Return what a test's text of that number holds."""
    return f"shop: {{opened: {number}}}\n"


def etag(data):
    """Return the ETag that the server gives a text."""
    return f'"{hashlib.sha256(data.encode()).hexdigest()[:20]}"'


def event(data, tag=None, name="document"):
    """Return the lines of an event."""
    lines = [f"event: {name}", f"id: {tag or etag(data)}"]
    return [*lines, *(f"data: {line}" for line in data.split("\n"))]


class Follower:
    """Reads at each hint, on the thread that brings it, as a runtime does."""

    def __init__(self, page, way="plain", told="told", **options):
        self.page, self.path = page, f"/{told}/{page.file.name}"
        self.source = page.source(way, sse=self.path, poll=0.05, **options)
        self.runtime, self.is_busy, self.loads = Runtime(self.source), False, []

    def load(self):
        """Read, whoever asks; return what that gives."""
        return self.source.load(runtime=self.runtime)

    def notify(self):
        try:
            self.loads.append(None if self.is_busy else self.load())
        except MidflightError as exc:
            self.loads.append(exc)

    @contextlib.contextmanager
    def following(self):
        """Follow, and let the first event tell of what the page has."""
        with self.source.watch(self.notify):
            wait_until(lambda: self.loads)
            self.tell(*event(self.page.file.read_text()))
            yield self

    def tell(self, *lines):
        """Send an event; return what its hint read, and how often it asked."""
        before, asked = len(self.loads), len(self.page.requests())
        self.post("".join(f"{line}\n" for line in (*lines, "")).encode("latin-1"))
        wait_until(lambda: len(self.loads) > before)
        loaded = self.loads[-1]
        number = loaded and loaded.document.sections["shop"]["opened"]
        return number, len(self.page.requests()) - asked

    def post(self, data):
        """Send bytes to the stream; none end it."""
        link = http.client.HTTPConnection("127.0.0.1", self.page.server.port)
        with contextlib.closing(link):
            link.request("POST", self.path, data)
            assert link.getresponse().status == 200


@pytest.fixture
def follower(page):
    """Follow a page whose stream is told what to say."""
    with Follower(page).following() as follower:
        yield follower


def test_an_event_saves_the_read(follower):
    """What follows on what the source has is loaded without a request."""
    assert follower.tell(*event(text(7), '"seven"')) == (7, 0)
    assert follower.tell(*event(text(8), '"eight"')) == (8, 0)
    assert follower.loads[-1].version == '"eight"'


def test_the_first_event_of_a_stream_is_a_hint(page):
    """Nobody knows whether it is older than what was read meanwhile."""
    follower = Follower(page)
    with follower.source.watch(follower.notify):
        wait_until(lambda: follower.loads)

        assert follower.tell(*event(text(7))) == (1, 1)


@pytest.mark.parametrize("there", [True, False])
def test_an_event_from_before_a_read_does_not_count(follower, there):
    """What was under way while somebody read, even in vain, brings nothing back."""
    if there:
        follower.page.write(text(3))
        follower.load()
    else:
        follower.page.file.unlink()
        with pytest.raises(SourceUnavailableError, match="no such text"):
            follower.load()
        follower.page.write(text(3))

    assert follower.tell(*event(text(1), '"one"')) == (3, 1)
    assert follower.tell(*event(text(2))) == (3, 1)
    assert follower.tell(*event(text(3))) == (3, 1)
    assert follower.tell(*event(text(4))) == (4, 0)


@pytest.mark.parametrize(
    "lines",
    [
        event(text(7), name="changed"),
        event(text(7), 'W/"seven"'),
        event(text(7), "seven"),
        event(text(7), etag(text(1))),
        ["event: document", *event(text(7))[2:]],
        event(text(7))[:2],
        event(text(7) + "# \xe9"),
        event(text(7) + "#" * 100),
    ],
    ids=["name", "weak", "bare", "same", "untagged", "empty", "latin-1", "large"],
)
def test_any_other_event_is_a_hint(page, lines):
    """It takes a text in UTF-8 that is not too large, and a strong ETag of its own."""
    with Follower(page, max_size=100).following() as follower:
        assert follower.tell(*lines) == (1, 1)


def test_the_next_read_believes_no_event(follower):
    """A server that was wrong in an event is asked for the text, ETag or not."""
    follower.page.write(text(2))
    told = follower.tell(*event(text(9), etag(text(2))))
    follower.load()
    asked = follower.page.requests()[-1]

    assert told == (9, 0)
    assert follower.load().document.sections["shop"]["opened"] == 2
    assert (asked["status"], asked["headers"].get("If-None-Match")) == (200, None)


def test_an_event_counts_within_its_hint_only(follower):
    """Where the hint found the service busy, whoever reads later asks the server."""
    follower.is_busy = True
    told = follower.tell(*event(text(7)))

    assert told == (None, 0)
    assert follower.load().document.sections["shop"]["opened"] == 1


def test_a_new_stream_begins_with_a_read(follower):
    """An event that nobody read is forgotten when its stream ends."""
    follower.is_busy = True
    follower.tell(*event(text(7)))
    follower.page.write(text(3))
    follower.is_busy, before = False, len(follower.loads)
    follower.post(b"")
    wait_until(lambda: len(follower.loads) > before)

    assert follower.loads[-1].document.sections["shop"]["opened"] == 3


def test_an_event_has_the_format_of_the_last_read(page):
    """No event says what its text is written in."""
    page.file = page.file.with_suffix("")
    page.write('{"shop": {"opened": 1}}')
    with Follower(page, "json").following() as follower:
        follower.tell(*event('{"shop": {"opened": 7}}'))
        followed = follower.loads[-1].token

    assert followed.startswith("json ")


@pytest.mark.parametrize(
    "data",
    ["shop: 5", "\n  \nshop: 5\n\n", " \nshop: '\u2028\x85'\n", "data: x\n# :\n"],
)
def test_an_event_says_a_text_to_the_byte(page, data):
    """Blank lines, and what else counts as the end of a line, come as they are."""
    follower = Follower(page, told="documents")
    with follower.source.watch(follower.notify):
        wait_until(lambda: follower.loads)
        page.change()
        wait_until(lambda: len(follower.loads) > 1)
        asked = len(page.requests())
        page.write(data)
        wait_until(lambda: len(follower.loads) > 2)

    assert len(page.requests()) == asked
    assert follower.loads[-1].token == page.source().hash()
