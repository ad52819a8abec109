"""Crashes in mid-apply: the marker of an attempt, and what is counted by it."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import attrs

from midflight_plugins.state._disk import Disk, put, read

_log = logging.getLogger("midflight")
LIMIT = 2  # crashes in one attempt that poison what it was about
_KNOWN = 100  # the newest that are remembered


@attrs.frozen
class Crash:
    """What one configuration has done to the processes that tried it.

    Args:
        count: how many ended in the middle of applying it.
        at: when the last of them was counted, in seconds since 1970.
        attempt: which attempt that was; none counts twice.
    """

    count: int = attrs.field(converter=int)
    at: float = attrs.field(converter=float)
    attempt: str = attrs.field(converter=str)


class Crashes:
    """The marker and the counts of a state directory.

    Args:
        folder: the directory.
        disk: makes the file operations.
        run: the name of this run of the process, which its own markers bear.
    """

    def __init__(self, folder: Path, disk: Disk, run: str = "") -> None:
        self._marker, self._file = folder / "attempt", folder / "crashes.json"
        self._disk, self._run = disk, run
        self._token = ""
        self.known: dict[str, Crash] = {}
        self.refresh()

    # -- the marker --------------------------------------------------------------

    def begin(self, digest: str, generation: int) -> None:
        """Mark that an attempt begins.

        It is not synced: what a process wrote outlives its crash. A loss of power
        takes the marker with it, and is not the configuration's fault.
        """
        about = {"digest": digest, "generation": generation}
        about |= {"at": time.time(), "pid": os.getpid(), "run": self._run}
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        handle = self._disk.open(self._marker, flags)
        try:
            self._disk.write(handle, json.dumps(about).encode())
        finally:
            os.close(handle)

    def end(self, applied: str = "") -> None:
        """Take the marker away; what is applied has crashed for the last time."""
        self._disk.unlink(self._marker)
        if applied in self.known:
            self.forgive(applied)

    def count(self) -> dict[str, Any] | None:
        """Count the crash that an earlier process left a marker of.

        Returns:
            What the marker says of it and, as `count`, how many there are; `None` if
            there is no new one.
        """
        counted = None
        about = _mapping(read(self._marker) or b"")
        digest = str(about.get("digest", ""))
        if digest and about.get("run") != self._run:
            attempt = f"{about.get('run')}@{about.get('at')}"
            before = self.known.get(digest)
            if before is None or before.attempt != attempt:
                count = before.count + 1 if before else 1
                self.known[digest] = Crash(count, time.time(), attempt)
                self._write()
                counted = {**about, "count": count}
                _log.warning(
                    "E_STATE: the last process ended in the middle of applying %s"
                    " (%d of %d times until it is refused)",
                    digest[:12],
                    count,
                    LIMIT,
                )
        self._disk.unlink(self._marker)
        return counted

    # -- what was counted --------------------------------------------------------

    def is_poisoned(self, digest: str) -> bool:
        """Tell whether a configuration has ended too many processes."""
        return digest in self.known and self.known[digest].count >= LIMIT

    @property
    def poisoned(self) -> tuple[str, ...]:
        """The configurations that are refused."""
        return tuple(each for each in self.known if self.is_poisoned(each))

    def refresh(self) -> None:
        """Read the counts again if somebody else has written them."""
        if (token := self.token()) != self._token:
            self._token, self.known = token, {}
            found = _mapping(read(self._file) or b"")
            for digest, each in found.items():
                try:
                    self.known[str(digest)] = Crash(**each)
                except (TypeError, ValueError):
                    _log.warning("E_STATE: %s: an entry is ignored", self._file)

    def token(self) -> str:
        """Return what changes with the counts."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return ""
        return f"{found.st_ino}:{found.st_mtime_ns}:{found.st_size}"

    def matching(self, digest: str) -> list[str]:
        """Return the digests that begin so."""
        return [each for each in self.known if each.startswith(digest)]

    def forgive(self, digest: str) -> None:
        """Forget the crashes of one configuration: it may be tried again.

        Raises:
            OSError: if that cannot be written.
        """
        self.refresh()
        if self.known.pop(digest, None):
            self._write()

    def _write(self) -> None:
        newest = sorted(self.known.items(), key=lambda each: each[1].at)[-_KNOWN:]
        self.known = dict(newest)
        data = {digest: attrs.asdict(crash) for digest, crash in newest}
        put(self._disk, self._file, json.dumps(data, indent=1).encode())
        self._token = self.token()


def _mapping(data: bytes) -> dict[str, Any]:
    """Read a mapping out of bytes; what is torn or foreign is an empty one."""
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
