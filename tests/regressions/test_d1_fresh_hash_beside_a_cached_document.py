"""D1: the poller paired a fresh hash with a cached document: changes were lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from midflight import Runtime, hookimpl
from midflight.testing import FakeModule
from midflight_plugins.database import DatabaseSource

CHANGES = 40
KEY = "default"


def text(value):
    """Return a configuration with a value."""
    return f"modules: [{{name: m, type: fake, config: {{v: {value}}}}}]\n"


class ChangesMeanwhile(DatabaseSource):
    """Is changed between each token and the read that follows."""

    change: Callable[[], object] | None = None

    @hookimpl
    def hash(self):
        token = super().hash()
        if self.change:
            self.change()
        return token


class CachesDocuments:
    """The broken variant: the hash is asked for, the document may be an old one.

    As in the original, a document is kept for `refresh` reads, as it was for seconds.
    """

    def __init__(self, database, refresh=3):
        self.database, self.refresh = database, refresh
        self.seen, self.value, self.age, self.cached = None, None, refresh, None

    def look(self):
        row = self.database.head(KEY)
        digest = hashlib.sha256(bytes(row.data)).hexdigest()
        if digest != self.seen:
            self.seen, self.value = digest, self.load()

    def load(self):
        self.age += 1
        if self.age > self.refresh:
            self.age, self.cached = 0, bytes(self.database.head(KEY).data).decode()
        return self.cached


def assert_converges(put, look, value):
    """Of 40 changes in as many looks the last is in force, in each of 10 trials."""
    for trial in range(10):
        last = text(100 * trial + CHANGES)
        for number in range(1, CHANGES + 1):
            put(text(100 * trial + number))
            look()
        look()
        assert value() == last, trial


def test_every_change_in_consecutive_looks_is_applied(
    database_url, original, open_store
):
    """What is loaded is what the token is of: nothing is kept in between."""
    open_store(database_url)
    other, source = original(database_url), DatabaseSource(database_url)
    other.put(KEY, text(0))
    seen = []
    with Runtime(source, modules={"fake": FakeModule}) as runtime:

        def look():
            runtime.reload()
            seen.append(runtime.module("m").config["v"])

        assert_converges(lambda new: other.put(KEY, new), look, lambda: text(seen[-1]))
    source.close()

    wanted = [100 * t + n for t in range(10) for n in range(1, CHANGES + 1)]
    assert [*dict.fromkeys(seen)] == [*dict.fromkeys(wanted)]


def test_a_change_between_token_and_read_is_not_lost(
    database_url, original, open_store
):
    """Neither is what came between the two, each time anew."""
    open_store(database_url)
    other, source = original(database_url), ChangesMeanwhile(database_url)
    other.put(KEY, text(0))
    numbers = iter(range(1, CHANGES))
    with Runtime(source, modules={"fake": FakeModule}) as runtime:

        def change():
            number = next(numbers, None)
            if number is not None:
                other.put(KEY, text(number))

        source.change = change
        for _ in range(CHANGES + 2):
            runtime.reload()

        assert runtime.module("m").config["v"] == CHANGES - 1
        assert runtime.snapshot.version == CHANGES
    source.close()


def test_the_oracle_sees_a_cached_document(sqlite_url, original, open_store):
    """The original's way loses the last change, and would not go unseen."""
    open_store(sqlite_url)
    other = original(sqlite_url)
    broken = CachesDocuments(other)

    with pytest.raises(AssertionError):
        assert_converges(
            lambda new: other.put(KEY, new), broken.look, lambda: broken.value
        )
