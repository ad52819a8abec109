"""How often somebody may do something."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable

_CLIENTS = 1_024  # that are remembered; who has asked least lately is forgotten


class Rate:
    """Lets each client do something so often; may be asked from any thread.

    Args:
        per_second: how often for long.
        burst: how often at once.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        per_second: float,
        burst: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_second, self.burst = per_second, burst
        self._clock, self._lock = clock, threading.Lock()
        self._known: collections.OrderedDict[str, tuple[float, float]] = (
            collections.OrderedDict()
        )

    def take(self, client: str = "") -> float:
        """Count one; return 0, or the seconds after which it would be allowed."""
        with self._lock:
            now = self._clock()
            left, at = self._known.pop(client, (self.burst, now))
            left = min(self.burst, left + (now - at) * self.per_second)
            wait = max(0.0, (1 - left) / self.per_second)
            self._known[client] = (left if wait else left - 1, now)
            if len(self._known) > _CLIENTS:
                self._known.popitem(last=False)
            return wait
