"""Sources that break what a watch, a runtime's life or a fork asks of them.

`breaks` names the clauses that turn red. The other sound one is
`broken_sources.TestBoard`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading

import pytest

from midflight import hookimpl
from midflight.testing import FakeSource, SourceContract


class TestFake(SourceContract):
    kind: type[FakeSource] = FakeSource
    breaks: tuple[str, ...] = ()
    waits = 2.0  # s, fewer for what will not come

    @pytest.fixture
    def source(self):
        return self.kind({"platform": 0})

    @pytest.fixture
    def change(self, source):
        numbers = itertools.count(1)
        return lambda: source.set({"platform": next(numbers)})

    @pytest.fixture
    def patience(self):
        return self.waits


class Pooled(FakeSource):
    """Keeps what its first read opened until `stop`, which is allowed."""

    kept = None

    @hookimpl
    def load(self):
        self.kept = self.kept or socket.socket()
        return super().load()

    @hookimpl
    def stop(self):
        kept, self.kept = self.kept, None
        if kept is not None:
            kept.close()


class TestPooled(TestFake):
    kind = Pooled


class Deaf(FakeSource):
    """Has a watch that gives no hint."""

    def hint(self, times=1):
        pass


class TestDeaf(TestFake):
    waits = 0.2
    kind = Deaf
    breaks = ("test_a_change_gives_a_hint",)


class Early(FakeSource):
    """Gives its hint long before the content can be read."""

    def set(self, raw):
        self.hint()
        threading.Event().wait(0.3)
        self.hints = 0
        super().set(raw)
        self.hints = 1


class TestEarly(TestFake):
    waits = 0.2
    kind = Early
    breaks = ("test_a_hint_comes_when_the_change_can_be_read",)


class Sticky(FakeSource):
    """Goes on giving hints after the exit."""

    @contextlib.contextmanager
    def _watched(self, notify):
        self._notify.append(notify)
        yield


class TestSticky(TestFake):
    kind = Sticky
    breaks = ("test_no_hint_comes_after_the_exit",)


class Restless(FakeSource):
    """Gives a hint when it is read."""

    @hookimpl
    def load(self):
        self.hint()
        return super().load()


class TestRestless(TestFake):
    kind = Restless
    breaks = ("test_reading_gives_no_hint",)


class Once(FakeSource):
    """Has a watch that can be left once only."""

    @hookimpl
    def watch(self, notify):
        class Watch:
            def __enter__(self):
                pass

            def __exit__(self, *_):
                del self.__class__.__exit__

        return Watch()


class TestOnce(TestFake):
    kind = Once
    breaks = ("test_leaving_a_watch_twice_is_harmless",)


class Leaky(FakeSource):
    """Leaves a thread behind for each watch."""

    end = threading.Event()

    @hookimpl
    def watch(self, notify):
        threading.Thread(target=self.end.wait, args=(30,), daemon=True).start()
        return contextlib.nullcontext()


class TestLeaky(TestFake):
    waits = 0.2
    kind = Leaky
    breaks = (
        "test_a_watch_leaves_nothing_behind",
        "test_a_stopped_runtime_leaves_nothing_behind",
    )


class Mortal(FakeSource):
    """Cannot be read any more once a runtime has stopped it."""

    @hookimpl
    def stop(self):
        self.fail(OSError("closed"))


class TestMortal(TestFake):
    kind = Mortal
    breaks = (
        "test_a_stopped_source_can_be_read_again",
        "test_one_runtime_ends_and_another_goes_on",
    )

    @pytest.fixture
    def change(self, source):
        return source.hint


class Parental(FakeSource):
    """Has a connection that no child may use."""

    def __init__(self, raw):
        super().__init__(raw)
        self.owner = os.getpid()

    @hookimpl
    def load(self):
        if os.getpid() != self.owner:
            raise OSError("the connection is another process's")
        return super().load()


class TestParental(TestFake):
    kind = Parental
    breaks = ("test_a_forked_child_reads_for_itself",)
