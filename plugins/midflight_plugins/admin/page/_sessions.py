"""Who is logged in: kept in memory, found by the hash of what the browser holds."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import attrs

from midflight import Secret

IDLE = 12 * 3600.0  # seconds after which one who does nothing is logged out
MOST = 256  # sessions; a further one ends that which was idle for longest


@attrs.define(eq=False)
class Session:
    """One browser that is logged in.

    Args:
        token: what it logged in with, to see at each request whether it still holds.
        seen: when it last did something.
        csrf: what each of its forms carries.
        notice: what its next page says first.
    """

    token: Secret
    seen: float
    csrf: str = attrs.field(factory=lambda: secrets.token_urlsafe(32), repr=False)
    notice: str = ""

    def sent(self, csrf: str) -> bool:
        """Tell whether a form is one of this session's own."""
        return hmac.compare_digest(csrf.encode(), self.csrf.encode())

    def said(self) -> str:
        """Return what the next page says first, once."""
        notice, self.notice = self.notice, ""
        return notice


class Sessions:
    """Every browser that is logged in; may be used from any thread.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._open: OrderedDict[bytes, Session] = OrderedDict()  # longest idle first

    def begin(self, token: str) -> str:
        """Log in; return what the browser shall hold: 256 random bits."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._open[_hashed(key)] = Session(Secret(token), self._clock())
            while len(self._open) > MOST:
                self._open.popitem(last=False)
        return key

    def find(self, key: str, *, acts: bool) -> Session | None:
        """Return the session of a browser, if it has one.

        Args:
            key: what the browser holds.
            acts: whether its user did something, and not just an open page by itself.
        """
        hashed = _hashed(key)
        with self._lock:
            found = self._open.get(hashed)
            if found is None:
                return None
            now = self._clock()
            if now - found.seen > IDLE:
                del self._open[hashed]
                return None
            if acts:
                found.seen = now
                self._open.move_to_end(hashed)
            return found

    def end(self, key: str) -> None:
        """Log out."""
        with self._lock:
            self._open.pop(_hashed(key), None)


def _hashed(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
