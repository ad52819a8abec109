"""Now and then, read in full what the shortcut read, and compare.

It happens on a thread of its own, a second later, when the change has been applied.
Larger files are left out: a parse that takes seconds would slow the service down.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading
from collections.abc import Callable

from midflight import Document

_EVERY = 1_000  # reads by the shortcut; a full parse of 64 kB takes some 0.2 s
_LARGEST = 65_536  # bytes
_LATER = 1.0  # s

_log = logging.getLogger("midflight.file")


class Sampler:
    """Counts reads by the shortcut, and has every so many of them repeated in full.

    Args:
        later: s between a read and its repetition.
    """

    def __init__(self, later: float = _LATER) -> None:
        self.failed = False
        self._later, self._reads = later, itertools.count(1)

    def note(
        self, name: str, size: int, given: Document, full: Callable[[], Document | None]
    ) -> None:
        """Take note of one read.

        Args:
            name: the file.
            size: its bytes.
            given: what the shortcut gave.
            full: reads the same bytes in full; `None` if they have a fault.
        """
        share = every()
        if share and size <= _LARGEST and next(self._reads) % share == 0:
            timer = threading.Timer(self._later, self._compare, (name, given, full))
            timer.name, timer.daemon = "midflight-sample", True
            with contextlib.suppress(RuntimeError):  # no thread is to be had
                timer.start()

    def _compare(
        self, name: str, given: Document, full: Callable[[], Document | None]
    ) -> None:
        whole = full()
        if whole is not None and same(given, whole):
            return
        self.failed = True
        _log.error(
            "%s: its changed modules were read otherwise than the whole file; it is"
            " right again with its next change, and all files are read in full from"
            " now on: please report this, with what was changed",
            name,
        )


def same(one: Document, other: Document) -> bool:
    """Tell whether two documents hold the same, in the same order."""
    return one == other and list(one.modules) == list(other.modules)


def every() -> int:
    """Return of how many reads one is a full one; an environment variable says so.

    1 means all of them, and 0 none but those that have to be.
    """
    text = os.environ.get("MIDFLIGHT_FULL_PARSE", "")
    return _EVERY if not text else int(text) if text.isdecimal() else 1
