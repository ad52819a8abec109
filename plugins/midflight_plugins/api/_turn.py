"""Whose turn it is: one writer at a time."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midflight import Runtime


class Turn:
    """Lets one writer at a time look, store and apply."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=_unlock(weakref.ref(self)))

    @contextmanager
    def taken(self, runtimes: Iterable[Runtime]) -> Iterator[bool]:
        """Wait until nobody else has the turn; yield whether it was taken.

        Inside a hook it is not: whose turn it is may wait for that hook.

        Args:
            runtimes: those whose hooks may be waited for.
        """
        if any(each.applying for each in runtimes):
            yield False
            return
        with self._lock:
            yield True


def _unlock(turn: weakref.ref[Turn]) -> Callable[[], None]:
    def unlock() -> None:
        alive = turn()
        if alive is not None:
            alive._lock = threading.Lock()  # noqa: SLF001  # its own

    return unlock
