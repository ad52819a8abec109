"""A source and a module that do what a test says, and count what is asked of them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from midflight.hookspecs import Loaded, hookimpl


class FakeSource:
    """A source in memory; each change of it gives a hint.

    Args:
        raw: what `load` gives, an empty mapping by default.

    Attributes:
        hints: how many hints a change gives: 0 loses them, 2 doubles them.
        loads: how often `load` was called.
        hashes: how often `hash` was called.
        watchers: how many watches are open.
    """

    name = "fake"

    def __init__(self, raw: Mapping[str, Any] | None = None) -> None:
        self.hints = 1
        self.loads = 0
        self.hashes = 0
        self._content: Any = copy.deepcopy(raw) if raw is not None else {}
        self._error: BaseException | None = None
        self._revision = 0
        self._lock = threading.Lock()  # one read finds what belongs together
        self._notify: list[Callable[[], None]] = []

    @property
    def watchers(self) -> int:
        """Return how many watches are open."""
        return len(self._notify)

    def set(self, raw: Any) -> None:
        """Put content in place, good or bad, and give the hints that are due."""
        self._become(copy.deepcopy(raw), None)

    def fail(self, error: BaseException) -> None:
        """Raise `error` from `hash` and `load` until content is set or restored."""
        self._become(self._content, error)

    def restore(self) -> None:
        """End a failure; the content is as it was before."""
        self._become(self._content, None)

    def hint(self, times: int = 1) -> None:
        """Give hints without any change."""
        for _ in range(times):
            for notify in tuple(self._notify):
                notify()

    def _become(self, content: Any, error: BaseException | None) -> None:
        with self._lock:
            self._content, self._error = content, error
            self._revision += 1
        self.hint(self.hints)

    @hookimpl
    def hash(self) -> str:
        """Return the count of changes, or raise what a test asked for."""
        self.hashes += 1
        if self._error is not None:
            raise self._error
        return str(self._revision)

    @hookimpl
    def load(self) -> Loaded:
        """Return a copy of the content, or raise what a test asked for."""
        self.loads += 1
        if self._error is not None:
            raise self._error
        with self._lock:
            content, revision = copy.deepcopy(self._content), self._revision
        return Loaded(content, version=revision, token=str(revision))

    @hookimpl
    def watch(self, notify: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `notify` at each hint."""
        return self._watched(notify)

    @contextmanager
    def _watched(self, notify: Callable[[], None]) -> Iterator[None]:
        self._notify.append(notify)
        try:
            yield
        finally:
            self._notify.remove(notify)


class FakeModule:
    """A module that takes any configuration and records what is asked of it.

    Attributes:
        name: its name.
        config: the configuration in force, `None` while it is not running.
        calls: each hook that was called, with its configuration.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.config: Any = None
        self.calls: list[tuple[str, Any]] = []

    @hookimpl
    def prepare(self, config: Any) -> Any:
        """Record the call; the configuration itself is what is prepared."""
        self.calls.append(("prepare", config))
        return config

    @hookimpl
    def start(self, config: Any) -> None:
        """Put the configuration in force."""
        self.calls.append(("start", config))
        self.config = config

    @hookimpl
    def reconfigure(self, config: Any) -> None:
        """Put another configuration in force."""
        self.calls.append(("reconfigure", config))
        self.config = config

    @hookimpl
    def probe(self) -> Mapping[str, Any]:
        """Return the configuration in force."""
        return dict(self.config or {})

    @hookimpl
    def discard(self, prepared: Any) -> None:
        """Record the call."""
        self.calls.append(("discard", prepared))

    @hookimpl
    def stop(self) -> None:
        """Put nothing in force."""
        self.calls.append(("stop", None))
        self.config = None
