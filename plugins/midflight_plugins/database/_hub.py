"""One watcher for each database and process, however many documents are followed.

A thread looks at all watched documents with one query a tick. What learns of a change
earlier, as a notification or the file of SQLite, makes it tell or look at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager

import attrs

from midflight_plugins.database._lookout import Lookout, StoreLookout
from midflight_plugins.database._poller import Machine, Poller
from midflight_plugins.database._url import Settings

_log = logging.getLogger("midflight.database")
_FIRST_LOOK = 2.0  # s that entering a watch may wait for the first look
_FAREWELL = 2.0  # s that leaving one may wait for a hint, or for the thread to end
_RECENT = 1.2  # intervals that what was observed counts as recent
_UNSEEN = object()


def watched(
    settings: Settings, key: str, notify: Callable[[], None]
) -> AbstractContextManager[None]:
    """Call `notify` when a document may have changed, while entered.

    Args:
        settings: the database; one connection and one thread serve all watches of it.
        key: the document.
        notify: a hint without a payload, called on that thread, which it may keep.
    """
    return _here().watched(settings, Watch(key, notify))


def observed(settings: Settings, key: str) -> str | None:
    """Return a document's token, if a look that is not older than an interval saw it.

    `None` means that nobody watches, that the document is not there, or that it was
    said to have changed since: ask the database.
    """
    return _here().observed(settings, key)


@attrs.define(eq=False, repr=False)
class Watch:
    """One watcher of one document, as `watched` describes it.

    Args:
        callers: the threads that are inside `notify`.
        entering: whether it waits for its first look, which is no change.
        closed: whether it was left.
    """

    key: str
    notify: Callable[[], None]
    callers: list[int] = attrs.field(factory=list)
    entering: bool = True
    closed: bool = False


class Hub:
    """What one process knows of one database, and who wants to hear of changes.

    Args:
        name: what log lines call the database.
        lookout: makes what looks at it; each thread has its own.
        poll: seconds between two looks; by default 5, or 30 if changes are pushed.
        machine: time, chance, threads and waiting.
    """

    def __init__(
        self,
        name: str,
        lookout: Callable[[], Lookout],
        poll: float | None,
        machine: Machine,
    ) -> None:
        self._name, self._poll, self._machine = name, poll, machine
        self._lookout = lookout
        self._changed = threading.Condition()
        self._watches: list[Watch] = []
        self._seen: dict[str, str | None] = {}
        self._fresh: dict[str, tuple[str | None, float]] = {}
        self._down = self._closed = False
        self.poller = self._started()

    def observed(self, key: str) -> str | None:
        """Return the token of the last look, if that is recent."""
        with self._changed:
            self._revive()
            token, at = self._fresh.get(key, (None, 0.0))
            age = self._machine.monotonic() - at
            return token if age <= self.poller.interval * _RECENT else None

    def add(self, watch: Watch) -> None:
        """Begin to watch a document."""
        with self._changed:
            self._revive()
            self._watches.append(watch)
            if watch.key not in self._seen:
                self.poller.look_now()

    def wait_for_look(self, watch: Watch) -> None:
        """Wait until a document was looked at: whoever loads it then misses nothing."""
        with self._changed:
            self._changed.wait_for(
                lambda: watch.key in self._seen or self._down, _FIRST_LOOK
            )
            watch.entering = False

    def remove(self, watch: Watch) -> bool:
        """Stop watching; tell whether nobody watches any more."""
        with self._changed:
            watch.closed = True
            if watch in self._watches:
                self._watches.remove(watch)
            if all(each.key != watch.key for each in self._watches):
                self._seen.pop(watch.key, None)
                self._fresh.pop(watch.key, None)
            return not self._watches

    def wait_for_hint(self, watch: Watch) -> None:
        """Wait for a hint that is under way on another thread."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: {*watch.callers} <= {me}, _FAREWELL)

    def close(self) -> None:
        """End the thread and its connection."""
        with self._changed:
            self._closed, poller = True, self.poller
            poller.stop()
        # A database that hangs must not hang the shutdown as well.
        if poller.thread is not threading.current_thread():
            poller.thread.join(_FAREWELL)

    def _started(self) -> Poller:
        return Poller(self, self._lookout(), self._poll, self._machine)

    def _revive(self) -> None:
        """Replace a thread that died, or that a hint does not give back."""
        if not self._closed and self.poller.is_lost():
            # Without a thread or a descriptor to be had, sweeps ask the database.
            with contextlib.suppress(OSError, RuntimeError):
                lost, self.poller = self.poller, self._started()
                lost.stop()

    # -- called by the thread that looks -----------------------------------------

    def keys(self) -> tuple[str, ...]:
        """Return the documents to look at."""
        with self._changed:
            return tuple(sorted({watch.key for watch in self._watches}))

    def saw(
        self, poller: Poller, keys: Collection[str], tokens: dict[str, str], at: float
    ) -> None:
        """Keep what one look found, and tell whom it is news for."""
        with self._changed:
            if not poller.active:
                return
            back, self._down = self._down, False
            new = {key: tokens.get(key) for key in keys}
            news = {k for k, v in new.items() if self._seen.get(k, _UNSEEN) != v}
            late = [
                watch
                for watch in self._watches
                if watch.key in news and not watch.entering
            ]
            self._seen.update(new)
            self._fresh.update({key: (token, at) for key, token in new.items()})
            self._changed.notify_all()
        if back:
            _log.info("%s is back; its changes are followed again", self._name)
        self._tell(poller, late)

    def heard(self, poller: Poller, keys: Collection[str]) -> None:
        """Tell who watches documents that are said to have changed."""
        with self._changed:
            for key in keys:
                self._fresh.pop(key, None)
            late = [watch for watch in self._watches if watch.key in keys]
        self._tell(poller, late)

    def lost(self, poller: Poller, reason: str) -> None:
        """Note that the database cannot be looked at; say so once."""
        with self._changed:
            if not poller.active:
                return
            known, self._down = self._down, True
            # What is found afterwards counts as a change: the return is a hint.
            self._seen.clear()
            self._fresh.clear()
            self._changed.notify_all()
        if not known:
            reason = reason.removeprefix(f"{self._name}: ")
            _log.warning("%s: changes are not seen: %s", self._name, reason)

    def _tell(self, poller: Poller, watches: Collection[Watch]) -> None:
        """Call `notify` of some watches, with no lock held."""
        me = threading.get_ident()
        for watch in watches:
            with self._changed:
                if watch.closed or not poller.active:
                    continue
                watch.callers.append(me)
                poller.busy_since = self._machine.monotonic()
            try:
                watch.notify()
            except BaseException:  # noqa: BLE001  # the watching thread must live on
                _log.exception("a change was noticed, and acting on it failed")
            finally:
                with self._changed:
                    watch.callers.remove(me)
                    poller.busy_since = None
                    self._changed.notify_all()


class Hubs:
    """The hubs of one process.

    Args:
        lookout: makes what looks at a database.
        machine: time, chance, threads and waiting.
    """

    def __init__(
        self, lookout: Callable[[Settings], Lookout], machine: Machine | None = None
    ) -> None:
        self._lookout, self._machine = lookout, machine or Machine()
        self._lock = threading.Lock()
        self._hubs: dict[object, Hub] = {}
        self._process = os.getpid()

    @contextlib.contextmanager
    def watched(self, settings: Settings, watch: Watch) -> Iterator[None]:
        """Watch while entered."""
        with self._lock:
            hub = self._hubs.get(_database(settings))
            if hub is None:
                hub = self._hubs[_database(settings)] = self._made(settings)
            hub.add(watch)
        try:
            hub.wait_for_look(watch)
            yield
        finally:
            # In a forked child the thread is the parent's, and a lock may be held.
            if self._process == os.getpid():
                self._leave(settings, hub, watch)

    def observed(self, settings: Settings, key: str) -> str | None:
        """Return what the last look saw, if that is recent."""
        hub = self._hubs.get(_database(settings))
        return hub.observed(key) if hub is not None else None

    def abandon(self) -> None:
        """Let go, in a forked child, of what belongs to the parent.

        The sockets are not closed, for the server would hear of it; they are replaced
        by nothing, so that they end with the parent.
        """
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for hub in self._hubs.values():
            for descriptor in hub.poller.descriptors:
                with contextlib.suppress(OSError):
                    os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)

    def _made(self, settings: Settings) -> Hub:
        return Hub(
            f"database:{settings.url}",
            lambda: self._lookout(settings),
            settings.poll,
            self._machine,
        )

    def _leave(self, settings: Settings, hub: Hub, watch: Watch) -> None:
        with self._lock:
            is_last = hub.remove(watch)
            if is_last:
                del self._hubs[_database(settings)]
        hub.wait_for_hint(watch)
        if is_last:
            hub.close()


def _database(settings: Settings) -> object:
    return settings.url, settings.poll, settings.timeout


def _lookout(settings: Settings) -> Lookout:
    kind = settings.url.resolve().get_backend_name()
    if kind == "postgresql":
        from midflight_plugins.database._listen import PostgresLookout

        return PostgresLookout(settings)
    if kind == "sqlite":
        from midflight_plugins.database._local import SqliteLookout

        return SqliteLookout(settings)
    return StoreLookout(settings)


# By process, since threads and locks of a parent are of no use to its child. Those of
# a parent are kept: to collect them would close them on the wire.
_hubs: dict[int, Hubs] = {}
_inherited: list[Hubs] = []


def _here() -> Hubs:
    return _hubs.setdefault(os.getpid(), Hubs(_lookout))


def _after_fork() -> None:
    me = os.getpid()
    for process in [each for each in _hubs if each != me]:
        hubs = _hubs.pop(process)
        _inherited.append(hubs)
        hubs.abandon()


os.register_at_fork(after_in_child=_after_fork)
