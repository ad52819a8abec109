"""D19: an empty table at boot turned the poller off; a full one was not applied."""

from __future__ import annotations

import contextlib
import threading

import pytest

from midflight import Runtime
from midflight.errors import SourceUnavailableError
from midflight.testing import FakeModule, wait_until
from midflight_plugins.database import DatabaseSource

KEY = "default"


def text(value):
    """Return a configuration with a value."""
    return f"modules: [{{name: m, type: fake, config: {{v: {value}}}}}]\n"


class Follower:
    """A runtime that is started on a thread, as it waits for its source."""

    def __init__(self, source, stack):
        modules = {"fake": FakeModule}
        self.runtime = Runtime(source, modules=modules, watch=True, wait=30)
        self.thread = threading.Thread(target=self.runtime.start)
        self.thread.start()
        stack.callback(source.close)
        stack.callback(self.stop)

    def stop(self):
        self.thread.join()
        self.runtime.stop()

    def value(self):
        """Return what is in force, if anything is."""
        with contextlib.suppress(Exception):
            return self.runtime.module("m").config["v"]


class Notes(DatabaseSource):
    """Tells that it was asked, and had nothing."""

    asked = threading.Event()

    def _absent(self):
        self.asked.set()
        return super()._absent()


class TurnsItselfOff:
    """The broken variant: without a first hash there is no poller, ever.

    With one, it is taken for what is in force already.
    """

    def __init__(self, database):
        self.database, self.in_force = database, None
        head = database.head(KEY)
        self.seen = head and head.hash

    def value(self):
        """Look once, and return what is in force."""
        if self.seen is not None:
            head = self.database.head(KEY)
            if head.hash != self.seen:
                self.seen, self.in_force = head.hash, bytes(head.data).decode()
        return self.in_force


@pytest.fixture
def follow():
    """Starts followers of a source; stops them at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda source: Follower(source, stack)


def test_a_document_that_comes_later_is_applied(
    database_url, original, open_store, follow
):
    """An empty table is waited for, and what comes after the first is followed too."""
    open_store(database_url)
    other, source = original(database_url), Notes(database_url, poll=0.2)
    source.asked = asked = threading.Event()
    follower = follow(source)
    assert asked.wait(30)
    for value in (1, 2):
        other.put(KEY, text(value))
        wait_until(lambda: follower.value() == value, f"{value}", 30)  # noqa: B023  # called within the pass

    assert follower.value() == 2


def test_the_document_at_boot_is_applied(database_url, original, open_store, follow):
    """What is in the database when a service starts is what it starts with."""
    open_store(database_url)
    original(database_url).put(KEY, text(1))
    follower = follow(DatabaseSource(database_url, poll=0.2))
    follower.thread.join()

    assert follower.value() == 1


def test_an_empty_table_says_how_to_fill_it(database_url, open_store):
    """Without waiting, it is an error that names document and command."""
    open_store(database_url)
    source = DatabaseSource(f"{database_url}#web")

    with pytest.raises(SourceUnavailableError, match="no document `web`; put one"):
        Runtime(source).start()
    source.close()


@pytest.mark.parametrize("at_boot", [False, True])
def test_the_oracle_sees_a_poller_that_is_off(
    sqlite_url, original, open_store, at_boot
):
    """Neither half of the original's rule would go unseen."""
    open_store(sqlite_url)
    other = original(sqlite_url)
    if at_boot:
        other.put(KEY, text(1))
    broken = TurnsItselfOff(other)
    if not at_boot:
        other.put(KEY, text(1))

    with pytest.raises(AssertionError):
        assert {broken.value() for _ in range(10)} >= {text(1)}
