"""Writers of one SQLite file wait for each other, and not for ever."""

from __future__ import annotations

import threading

import pytest

from midflight.errors import SourceUnavailableError

PATIENCE = 30  # s


class Held:
    """Holds a writer at one of its steps, until it is let go."""

    def __init__(self, name):
        self._name = name
        self.came, self.goes = threading.Event(), threading.Event()

    def __call__(self, name):
        if name == self._name and not self.came.is_set():
            self.came.set()
            assert self.goes.wait(PATIENCE)


@pytest.fixture
def held(open_store, sqlite_url):
    """A store whose first writer stands still within its transaction."""
    step = Held("locked")
    store, versions = open_store(f"{sqlite_url}?timeout=0.2", step=step), []
    first = threading.Thread(target=lambda: versions.append(put(store, 1, None)))
    first.start()
    assert step.came.wait(PATIENCE)

    def finish():
        step.goes.set()
        first.join()
        return versions

    yield store, finish
    finish()


def put(store, number, base):
    """Put the text of a number on a version."""
    more = {"author": "ada", "message": "", "digest": f"{number}"}
    return store.put("default", b"platform: %d\n" % number, expected=base, **more)


def test_a_writer_that_is_not_let_in_says_so(held):
    """Behind a writer that does not come to an end, the next gives up in time."""
    store, finish = held
    with pytest.raises(SourceUnavailableError, match="writers do not come to an end"):
        put(store, 2, None)

    assert finish() == [1]
    assert [row.data for row in [store.head("default")]] == [b"platform: 1\n"]


def test_a_turn_that_was_not_taken_is_not_given_back(held):
    """Who gave up holds nobody up: the writers after it take their turns."""
    store, finish = held
    for _ in range(2):
        with pytest.raises(SourceUnavailableError):
            put(store, 2, None)
    finish()

    assert [put(store, 3, 1), put(store, 4, 2)] == [2, 3]


def test_a_writer_that_fails_gives_its_turn_back(open_store, sqlite_url):
    """An error within a turn ends the turn."""
    errors = [RuntimeError("within")]

    def step(name):
        if name == "kept" and errors:
            raise errors.pop()

    store = open_store(f"{sqlite_url}?timeout=0.2", step=step)
    with pytest.raises(RuntimeError, match="within"):
        put(store, 1, None)

    assert put(store, 2, None) == 1


def test_readers_wait_for_nobody(held):
    """While a writer stands still, what was there before can be read."""
    store, finish = held

    assert store.head("default") is None
    finish()
    assert store.head("default").version == 1
