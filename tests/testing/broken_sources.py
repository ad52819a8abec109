"""A source that keeps the contract, and ones that break it; run by `pytest` of its own.

`breaks` names the clauses that turn red.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time

import pytest

from midflight import Document, Loaded, Place, hookimpl
from midflight.errors import InvalidConfigurationError, SourceUnavailableError
from midflight.testing import SourceContract


class Board:
    """Keeps its contract."""

    name = "board"

    def __init__(self):
        self.state = (0, {"platform": 0})  # exchanged as a whole
        self.listeners = []

    def set(self, content):
        self.state = (self.state[0] + 1, content)
        self.tell()

    def tell(self):
        for notify in tuple(self.listeners):
            notify()

    @hookimpl
    def hash(self):
        return str(self.state[0])

    @hookimpl
    def load(self):
        return self.loaded(*self.state)

    def loaded(self, revision, content):
        if content is None:
            raise SourceUnavailableError("there is no content on the board")
        return Loaded(content, revision, self.place, str(revision))

    def place(self, path):
        return Place("board")

    @hookimpl
    def watch(self, notify):
        return self.watched(notify)

    @contextlib.contextmanager
    def watched(self, notify):
        self.listeners.append(notify)
        try:
            yield
        finally:
            self.listeners.remove(notify)


class TestBoard(SourceContract):
    kind: type[Board] = Board
    breaks: tuple[str, ...] = ()

    @pytest.fixture
    def source(self):
        return self.kind()

    @pytest.fixture
    def change(self, source):
        numbers = itertools.count(1)
        return lambda: source.set({"platform": next(numbers)})

    @pytest.fixture
    def invalidate(self, source):
        return lambda: source.set({"modules": 5})

    @pytest.fixture
    def remove(self, source):
        return lambda: source.set(None)

    @pytest.fixture
    def secrets(self):
        return ("hunter2",)

    @pytest.fixture
    def patience(self):
        return 0.5


class Listing(Board):
    """Returns no document."""

    @hookimpl
    def load(self):
        return ["a"]


class TestListing(TestBoard):
    kind = Listing
    breaks = ("test_a_read_gives_a_document",)


class Restless(Board):
    """Its token differs each time."""

    count = 0

    @hookimpl
    def hash(self):
        self.count += 1
        return str(self.count)


class TestRestless(TestBoard):
    kind = Restless
    breaks = ("test_equal_tokens_mean_equal_documents",)


class Asleep(Board):
    """Its token never differs."""

    @hookimpl
    def hash(self):
        return "same"

    def loaded(self, revision, content):
        return Loaded(super().loaded(revision, content).document, token="same")


class TestAsleep(TestBoard):
    kind = Asleep
    breaks = (
        "test_a_change_gives_another_token",
        "test_a_token_names_one_document_beside_changes",
        "test_recovers_from_invalid_content",
        "test_no_change_is_missed_without_hints",
    )


class Stale(Board):
    """Loads what it loaded first."""

    first = None

    @hookimpl
    def load(self):
        self.first = self.first or super().load()
        return self.first


class TestStale(TestBoard):
    kind = Stale
    breaks = ("test_a_change_is_loaded_at_once",)


class Sharing(Board):
    """Changes what it returned before."""

    def __init__(self):
        super().__init__()
        self.shared = {}

    @hookimpl
    def load(self):
        self.shared.update(self.state[1])
        return self.shared


class TestSharing(TestBoard):
    kind = Sharing
    breaks = ("test_what_was_loaded_stays_as_it_was",)


class Bound(Board):
    """Can be read by the thread that made it, as some connections can."""

    def __init__(self):
        super().__init__()
        self.owner = threading.current_thread()

    @hookimpl
    def load(self):
        if threading.current_thread() is not self.owner:
            raise RuntimeError("a stranger's thread")
        return super().load()


class TestBound(TestBoard):
    kind = Bound
    breaks = ("test_any_thread_can_read",)


class Twice(Board):
    """Reads the version, and a little later the content."""

    @hookimpl
    def load(self):
        revision = self.state[0]
        time.sleep(0.02)
        return Loaded(self.state[1], revision, self.place)


class TestTwice(TestBoard):
    kind = Twice
    breaks = ("test_a_version_names_one_document_beside_changes",)


class Replicas(Board):
    """Is answered by one that lags behind, from time to time."""

    def __init__(self):
        self.old, self.reads = (0, {"platform": 0}), 0
        super().__init__()

    def set(self, content):
        self.old = self.state
        super().set(content)

    @hookimpl
    def load(self):
        self.reads += 1
        return self.loaded(*(self.old if self.reads % 3 == 0 else self.state))


class TestReplicas(TestBoard):
    kind = Replicas
    breaks = (
        "test_no_read_goes_back_to_an_older_document",
        "test_integer_versions_never_go_back",
    )


class Placeless(Board):
    """Does not say where a fault is."""

    def loaded(self, revision, content):
        return Loaded(super().loaded(revision, content).document, revision)


class TestPlaceless(TestBoard):
    kind = Placeless
    breaks = ("test_invalid_content_is_refused_with_its_place",)


class Lenient(Board):
    """Takes what is wrong for an empty configuration."""

    def loaded(self, revision, content):
        loaded = super().loaded(revision, content)
        with contextlib.suppress(InvalidConfigurationError):
            return Loaded(Document.from_mapping(loaded.document), revision)
        return Loaded({}, revision)


class TestLenient(TestBoard):
    kind = Lenient
    breaks = (
        "test_invalid_content_is_refused_with_its_place",
        "test_invalid_content_leaves_the_last_good_in_force",
    )


class Empty(Board):
    """Takes what is not there for an empty configuration, and for no change."""

    last = ""

    @hookimpl
    def hash(self):
        if self.state[1] is not None:
            self.last = super().hash()
        return self.last

    def loaded(self, revision, content):
        return Loaded(content or {}, revision, self.place)


class TestEmpty(TestBoard):
    kind = Empty
    breaks = (
        "test_a_deletion_is_no_empty_document",
        "test_a_deletion_changes_the_token",
        "test_a_deletion_leaves_the_last_good_in_force",
    )


class Talkative(Board):
    """Says its password."""

    name = "board://ada:hunter2@host"

    def loaded(self, revision, content):
        if content is None:
            raise SourceUnavailableError(f"there is nothing at {self.name}")
        return super().loaded(revision, content)


class TestTalkative(TestBoard):
    kind = Talkative
    breaks = (
        "test_the_name_shows_no_secret",
        "test_no_error_and_no_log_shows_a_secret",
    )


class Chatting(Board):
    """Logs its password, by a logger of its own, as any client might."""

    @hookimpl
    def load(self):
        logging.getLogger("board").info("logged in with hunter2")
        return super().load()


class TestChatting(TestBoard):
    kind = Chatting
    breaks = ("test_no_error_and_no_log_shows_a_secret",)
