from __future__ import annotations

import contextlib
import os
import select
import threading

import pytest

from midflight.errors import SourceUnavailableError
from midflight.testing import wait_until
from midflight_plugins.database._hub import Hubs, Watch
from midflight_plugins.database._lookout import Stir
from midflight_plugins.database._poller import Machine
from midflight_plugins.database._url import Settings, Url


class FakeTime:
    """A clock that stands still until `advance`; the threads are real."""

    def __init__(self):
        self.now, self.chance, self.waits = 100.0, 0.5, []
        self._lock, self._read = threading.Lock(), threading.local()
        self._waiting = set()
        self.machine = Machine(
            monotonic=self._monotonic, random=lambda: self.chance, wait=self._wait
        )

    def advance(self, seconds):
        """Let time pass, and wake who has waited for it."""
        with self._lock:
            self.now += seconds
            for end in self._waiting:
                os.write(end, b"!")

    def settle(self, count=1):
        """Wait until that many threads wait for time to pass."""
        wait_until(lambda: len(self._waiting) == count, "all threads to be idle")

    def _monotonic(self):
        self._read.last = self.now
        return self.now

    def _wait(self, descriptors, seconds):
        # What passed since the caller looked at the clock counts.
        due = self._read.last + seconds
        read, write = os.pipe()
        with self._lock:
            idle = self.now < due
            if idle:
                self._waiting.add(write)
                self.waits.append(seconds)
        try:
            poll = select.poll()
            for descriptor in (read, *descriptors):
                poll.register(descriptor, select.POLLIN)
            if idle:
                poll.poll(20_000)
        finally:
            with self._lock:
                self._waiting.discard(write)
            os.close(read)
            os.close(write)


class FakeDatabase:
    """Documents with tokens, and every look at them."""

    def __init__(self):
        self.tokens, self.looks, self.opened, self.open_now = {}, [], 0, 0
        self.down, self.pushes, self.told = None, False, []
        self.on_look = lambda: None

    def lookout(self, _settings):
        return FakeLookout(self)

    def push(self, *stirs):
        """Let every lookout notice something."""
        for lookout in self.told:
            lookout.stirs.extend(stirs)
            os.write(lookout.ends[1], b"!" * len(stirs))


class FakeLookout:
    def __init__(self, database):
        self.database, self.stirs = database, []
        self.ends: tuple = ()

    @property
    def pushes(self):
        return self.database.pushes

    @property
    def descriptors(self):
        return self.ends[:1]

    def open(self):
        if self.database.down:
            raise self.database.down
        self.database.opened += 1
        self.database.open_now += 1
        self.ends = os.pipe()
        self.database.told.append(self)

    def stirred(self):
        if not self.stirs:
            return Stir()
        os.read(self.ends[0], 1)
        return self.stirs.pop(0)

    def tokens(self, keys):
        self.database.looks.append(keys)
        self.database.on_look()
        if self.database.down:
            raise self.database.down
        return {k: v for k, v in self.database.tokens.items() if k in keys}

    def close(self):
        if self.ends:
            self.database.told.remove(self)
            self.database.open_now -= 1
            for end in self.ends:
                os.close(end)
            self.ends = ()


class Watching:
    """Watches documents of one fake database, in fake time."""

    def __init__(self, stack):
        self.time, self.database, self._stack = FakeTime(), FakeDatabase(), stack
        self.hubs = Hubs(self.database.lookout, self.time.machine)
        self.settings = Settings(Url("postgresql://user:hunter2@db/app"))

    def watch(self, key="app", notify=None):
        """Enter a watch; return its hints and what leaves it."""
        hints: list = []
        watch = Watch(key, notify or (lambda: hints.append(key)))
        manager = self.hubs.watched(self.settings, watch)
        manager.__enter__()

        def leave():
            manager.__exit__(None, None, None)

        self._stack.callback(leave)
        return hints, leave

    def change(self, **tokens):
        """Commit documents."""
        self.database.tokens.update(tokens)

    def tick(self, threads=1):
        """Let one interval pass, and wait until what that brought is done."""
        self.time.settle(threads)
        looks = len(self.database.looks)
        self.time.advance(6.0 if not self.database.pushes else 36.0)
        wait_until(lambda: len(self.database.looks) > looks, "a look")
        self.time.settle(threads)

    def observed(self, key="app"):
        return self.hubs.observed(self.settings, key)

    def go_down(self, error=None):
        self.database.down = error or SourceUnavailableError("the database is away")


@pytest.fixture
def watching():
    """A fake database that can be watched; every watch is left at the end."""
    with contextlib.ExitStack() as stack:
        yield Watching(stack)
