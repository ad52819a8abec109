"""Keeps a runtime's state; a disk that fails is said once, and tried again."""

from __future__ import annotations

import collections
import datetime
import logging
import os
import shlex
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from midflight import Applied, Document, Fault, Loaded, Outcome, Place
from midflight.errors import Code, InvalidConfigurationError
from midflight_plugins.state._crashes import LIMIT, Crashes
from midflight_plugins.state._disk import Disk, StateError
from midflight_plugins.state._folder import Folder, check_owner
from midflight_plugins.state._lastgood import LastGood, Mark
from midflight_plugins.state._opened import Opened, run_name
from midflight_plugins.state._record import (
    between,
    record_of,
    record_of_crash,
    record_of_note,
)
from midflight_plugins.state._seal import key_of
from midflight_plugins.state._texts import Encoder, digest_after

if TYPE_CHECKING:
    from midflight import Runtime

_log = logging.getLogger("midflight")
_TROUBLE = (OSError, sqlite3.Error, StateError)
_WAITING = 1_000  # records that wait for a disk that fails; older ones are dropped
_PAUSE = 1.0  # s between two tries that no decision asked for
_PATIENCE = 0.1  # s that a change waits for a disk that hangs
T = TypeVar("T")


class Keeper:
    """What the hooks do while a runtime with a state directory runs.

    Args:
        runtime: whose state is kept; it has a `state_dir`.
        disk: makes the file operations.
    """

    def __init__(self, runtime: Runtime, disk: Disk) -> None:
        self._runtime, self._disk, self._run = runtime, disk, run_name()
        self._opened: Opened | None = None
        self._lock = threading.RLock()
        self._encoder = Encoder()
        self._waiting: collections.deque[dict[str, Any]]
        self._waiting = collections.deque(maxlen=_WAITING)
        self._trouble = self._recalled = ""
        self._tried_at = 0.0
        self._saved = 0  # the generation that is kept
        # Of the attempt under way, and of the last one that failed:
        self._raw: Document | None = None
        self._seen: Document | None = None
        self._base: Document | None = None
        self._begun = self._failed = self._refused = ""

    # -- the directory -----------------------------------------------------------

    def open(self) -> None:
        """Open the directory; count a crash that left its marker."""
        with self._lock:
            self._with(lambda _: None)
            if self._waiting:  # before another crash could come
                self._with(self._write)

    def close(self) -> None:
        """Let go of the directory; what stops in order leaves no marker."""
        with self._lock:
            if self._begun:
                self._with(lambda opened: opened.crashes.end())
            self._shut()

    def abandon(self) -> None:
        """In a forked child, let go of what is the parent's without touching it."""
        if self._opened is not None:
            self._opened.folder.close()

    def _shut(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _with(self, action: Callable[[Opened], T]) -> T | None:
        """Do something with the directory; if that fails, say so once and go on."""
        try:
            if self._opened is None:
                self._tried_at = time.monotonic()
                assert self._runtime.state_dir is not None
                folder = Folder(self._runtime.state_dir, self._disk)
                self._opened = Opened(folder, os.environ, self._run, self._encoder)
                self._saved = 0  # it may be another directory than before
                if crash := self._opened.crash:
                    self._waiting.appendleft(record_of_crash(crash, LIMIT))
            else:
                self._opened.folder.check()
            result = action(self._opened)
        except _TROUBLE as exc:
            self._shut()
            self._failed_by(str(exc) or type(exc).__name__)
            return None
        return result

    def _failed_by(self, reason: str) -> None:
        if not self._trouble:
            text = "E_STATE: nothing is kept in the state directory: %s"
            _log.error("%s; the service goes on", text % reason)
        self._trouble = reason
        self._say()

    def _works(self) -> None:
        if self._trouble and self._opened is not None:
            self._trouble = ""
            _log.info("the state directory works again")
            self._say()

    def _say(self) -> None:
        """Put into the status what is not as it should be."""
        trouble = f"nothing is kept: {self._trouble}" if self._trouble else ""
        text = "; ".join(part for part in (self._recalled, trouble) if part)
        if text:
            self._runtime.notes["state"] = text
        else:
            self._runtime.notes.pop("state", None)

    # -- an attempt --------------------------------------------------------------

    def judge(self, raw: Document, document: Document) -> None:
        """Refuse a document that has ended the process too often.

        At the start only if there is another to run instead.

        Raises:
            InvalidConfigurationError: `E_POISONED`.
        """
        self._raw, self._seen = raw, document
        free = self._lock.acquire(timeout=_PATIENCE)
        try:
            if not free:
                self._failed_by("it has not answered for some time")
            if not self._is_refused(raw, document, free=free):
                return
            self._refused = raw.digest
        finally:
            if free:
                self._lock.release()
        msg = f"the process ended {LIMIT} times in the middle of applying this"
        assert self._runtime.state_dir is not None
        folder = self._runtime.state_dir.absolute()
        digest = document.digest
        command = f"midflight journal forgive {digest[:12]} --state-dir"
        hint = f"`{command} {shlex.quote(str(folder))}` lets it be tried again"
        found, place = f"digest {digest[:12]}", Place(f"state directory {folder}")
        fault = Fault(Code.E_POISONED, msg, place=place, found=found, hint=hint)
        raise InvalidConfigurationError(fault)

    def _is_refused(self, raw: Document, document: Document, *, free: bool) -> bool:
        """Tell whether a document is poisoned, by what is known if the disk hangs."""
        if self._opened is None or not self._opened.crashes.known:
            return False  # without its digest, which costs less once it is compared
        digest = digest_after(self._runtime.snapshot.document, document)
        if free:
            self._with(lambda opened: opened.crashes.refresh())
        if self._opened is None or not self._opened.crashes.is_poisoned(digest):
            return False
        if free and not self._runtime.snapshot.generation and not self._others(raw):
            text = "E_POISONED: %s is tried again, since there is no other"
            _log.warning(text, digest[:12])
            return False
        return True

    def _others(self, raw: Document) -> bool:
        """Tell whether something else was good, and may be tried."""
        assert self._opened is not None
        crashes = self._opened.crashes
        return any(
            kept.mark.raw != raw.digest and not crashes.is_poisoned(kept.mark.digest)
            for kept in self._opened.last_good.sound()
        )

    def begun(self, document: Document) -> None:
        """Mark that a document is about to be applied."""
        with self._lock:
            snapshot, digest = self._runtime.snapshot, document.digest
            self._base, self._seen, self._begun = snapshot.document, document, digest
            number = snapshot.generation + 1
            self._with(lambda opened: opened.crashes.begin(digest, number))

    def ended(self, outcome: Outcome) -> None:
        """Take the mark away, keep what is good, write down what was decided."""
        with self._lock:
            self._waiting.append(self._record(outcome))
            begun, self._begun = self._begun, ""
            if begun:
                applied = begun if isinstance(outcome, Applied) else ""
                self._with(lambda opened: opened.crashes.end(applied))
            if outcome.ok and outcome.reason != "recalled" and self._recalled:
                self._recalled = ""
                self._say()
            failed = not (outcome.ok or self._runtime.snapshot.generation)
            whole = outcome.reason != "source_unavailable" and self._is_about(outcome)
            self._failed = self._raw.digest if failed and whole and self._raw else ""
            self._raw = self._seen = self._base = None
            self._catch_up()

    def _record(self, outcome: Outcome) -> dict[str, Any]:
        snapshot, seen = self._runtime.snapshot, self._seen
        base = snapshot.document if self._base is None else self._base
        source = snapshot.source or self._runtime.status()["sources"][0]["name"]
        name = source.removeprefix("source ").strip("`")
        diff = between(base, seen if self._is_about(outcome) else None)
        return record_of(outcome, diff, name, snapshot.version)

    def _is_about(self, outcome: Outcome) -> bool:
        """Tell whether it is about the document seen last.

        That may be no more than the sound part of one that could not be read, in which
        further faults were looked for; then the outcome has no digest.
        """
        if not outcome.digest:
            raw = self._raw if self._refused else None
            return raw is not None and raw.digest == self._refused
        return self._seen is not None and self._seen.digest == outcome.digest

    def token(self) -> str | None:
        """Return what changes when something is forgiven; a look is a time to retry."""
        waited = time.monotonic() - self._tried_at > _PAUSE
        if self._trouble and waited and self._lock.acquire(blocking=False):
            try:
                self._catch_up()
            finally:
                self._lock.release()
        opened = self._opened
        if opened is None or not opened.crashes.poisoned:
            return None
        return f"poisoned:{opened.crashes.token()}"

    # -- keeping -----------------------------------------------------------------

    def _catch_up(self) -> None:
        """Keep what is not kept yet; after a failure that is all since then."""
        if self._with(self._save) and self._with(self._write):
            self._works()

    def _save(self, opened: Opened) -> bool:
        snapshot = self._runtime.snapshot
        loaded = snapshot.loaded
        if loaded is None or snapshot.generation in {0, self._saved}:
            return True
        raw = loaded.document
        assert isinstance(raw, Document)
        newest, digest = opened.last_good.newest, self._encoder.digest(raw)
        if newest is None or (newest.digest, newest.raw) != (snapshot.digest, digest):
            mark = Mark(
                digest=snapshot.digest,
                raw=digest,
                generation=snapshot.generation,
                source=snapshot.source,
                version=snapshot.version,
                at=snapshot.at,
                author=loaded.author,
            )
            opened.last_good.keep(mark, raw)
        self._saved = snapshot.generation
        return True

    def note(self, entry: Mapping[str, Any]) -> None:
        """Write down what was decided elsewhere; a disk that hangs delays nobody."""
        record = record_of_note(entry)
        if not self._lock.acquire(timeout=_PATIENCE):
            if len(self._waiting) < _WAITING:
                self._waiting.append(record)
            return
        try:
            self._waiting.append(record)
            self._catch_up()
        finally:
            self._lock.release()

    def _write(self, opened: Opened) -> bool:
        while self._waiting:
            opened.journal.append(self._waiting[0])
            self._waiting.popleft()
        return True

    # -- the way back ------------------------------------------------------------

    def recall(self) -> Loaded | None:
        """Return the newest document that was good and may be so again."""
        with self._lock:
            if self._opened is not None:
                return self._found(self._opened.last_good, self._opened.crashes)
            # A disk that is full or in use can be read all the same.
            path = self._runtime.state_dir
            assert path is not None
            try:
                check_owner(path)
                key = key_of(path, os.environ)
                crashes = Crashes(path, self._disk)
                return self._found(LastGood(path, self._disk, key), crashes)
            except _TROUBLE as exc:
                _log.warning("E_STATE: there is no last good: %s", exc)
                return None

    def restore(self, digest: str) -> Loaded | None:
        """Return a configuration that was in force, by its digest, if it is kept."""
        if not self._lock.acquire(timeout=_PATIENCE):
            return None
        try:
            return self._with(lambda opened: opened.last_good.of(digest))
        finally:
            self._lock.release()

    def _found(self, good: LastGood, crashes: Crashes) -> Loaded | None:
        for kept in good.sound():
            mark = kept.mark
            if crashes.is_poisoned(mark.digest) or mark.raw == self._refused:
                continue
            if mark.raw == self._failed:
                return None  # just that did not start
            try:
                loaded = kept.loaded()
            except ValueError as exc:
                _log.warning("E_STATE: %s is ignored: %s", kept.path, exc)
                continue
            at = datetime.datetime.fromtimestamp(mark.at, datetime.UTC)
            when = at.isoformat(timespec="seconds").replace("+00:00", "Z")
            self._recalled = f"running the last good of {when}"
            _log.warning("%s, generation %d then", self._recalled, mark.generation)
            self._say()
            return loaded
        return None
