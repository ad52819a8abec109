"""D23: history was anonymous and unread; equal content was new; edits went unseen."""

from __future__ import annotations

import contextlib

import pytest

from midflight import Document, Runtime
from midflight.testing import FakeModule, wait_until
from midflight_plugins.database import DatabaseSource
from midflight_plugins.database._put import FOUND

KEY = "default"


def document(value):
    """Return a configuration with a value."""
    config = {"name": "m", "type": "fake", "config": {"v": value}}
    return Document.from_mapping({"modules": [config]})


def text(value):
    """Return the same, as it is written."""
    return f"modules: [{{name: m, type: fake, config: {{v: {value}}}}}]\n"


class Ours:
    """A database as we keep it.

    Attributes:
        runtime: a started runtime that follows the document.
    """

    def __init__(self, url, stack):
        source = DatabaseSource(url, poll=0.2)
        stack.callback(source.close)
        Runtime(source).put(document(0), expected_version=None, text=text(0))
        modules = {"fake": FakeModule}
        self.runtime = Runtime(source, modules=modules, watch=True)
        stack.enter_context(self.runtime)

    def put(self, value, author):
        """Put a value on the head."""
        base = self.runtime.history(1)[0].version
        new = document(value)
        return self.runtime.put(
            new, expected_version=base, author=author, text=text(value)
        )

    def history(self):
        """Return version and author, newest first."""
        return [(each.version, each.author) for each in self.runtime.history(99)]

    def value(self):
        """Return what is in force."""
        return self.runtime.module("m").config["v"]


class Theirs:
    """The broken variant: the original, whose poller looks at the column `hash`."""

    def __init__(self, database):
        self.database, self.seen, self.found = database, None, ""
        database.put(KEY, text(0))

    def put(self, value, author):
        return self.database.put(KEY, text(value))

    def history(self):
        with self.database.engine.connect() as connection:
            rows = connection.execute(self.database.history.select()).all()
        return [(row.version, row.changed_by) for row in reversed(rows)]

    def value(self):
        head = self.database.head(KEY)
        if head.hash != self.seen:
            self.seen, self.found = head.hash, bytes(head.data).decode()
        return int(self.found.partition("v: ")[2].partition("}")[0])


@pytest.fixture
def ours(database_url, open_store):
    """Our way, on each kind of database."""
    open_store(database_url).close()
    with contextlib.ExitStack() as stack:
        yield Ours(database_url, stack)


@pytest.fixture
def theirs(sqlite_url, open_store, original):
    """The original's way."""
    open_store(sqlite_url)
    return Theirs(original(sqlite_url))


def assert_names_authors(way):
    """Who put a version stands beside it."""
    way.put(1, "ada")
    way.put(2, "grace")
    assert way.history()[:2] == [(3, "grace"), (2, "ada")]


def assert_equal_is_no_version(way):
    """What is put again is the version it is."""
    assert way.put(1, "ada") == way.put(1, "grace")


def assert_follows_an_edit(way, database, seconds):
    """A row that is edited by hand is in force soon, though its `hash` is stale."""
    way.value()
    database.edit(KEY, text(7))
    wait_until(lambda: way.value() == 7, "the edit", seconds)


def test_history_names_authors(ours):
    """Every version has its author, and history gives them back."""
    assert_names_authors(ours)


def test_equal_content_makes_no_version(ours):
    """The version stays, and so do history and author."""
    assert_equal_is_no_version(ours)

    assert len(ours.history()) == 2


def test_an_edit_by_hand_is_followed_and_kept(ours, database_url, original):
    """It is applied as any change, and stands in history from the next put on."""
    assert_follows_an_edit(ours, original(database_url), 30)
    ours.put(8, "ada")
    listed = ours.runtime.history(9)

    assert [(v.version, v.author, v.message) for v in listed] == [
        (3, "ada", ""),
        (2, "unknown", FOUND),
        (1, "system", ""),
    ]
    read = [ours.runtime.read_version(v)[0] for v in (1, 2)]
    assert read == [document(0), document(7)]


def test_the_oracle_sees_anonymous_history(theirs):
    """Versions that are all by `system` would not go unseen."""
    with pytest.raises(AssertionError):
        assert_names_authors(theirs)


def test_the_oracle_sees_a_version_for_nothing(theirs):
    """A new version of equal content would not go unseen."""
    with pytest.raises(AssertionError):
        assert_equal_is_no_version(theirs)


def test_the_oracle_sees_an_edit_nobody_noticed(theirs):
    """A poller that trusts the column `hash` would not go unseen."""
    with pytest.raises(AssertionError):
        assert_follows_an_edit(theirs, theirs.database, 0.3)
