"""Writes down who was refused, however often somebody tries."""

from __future__ import annotations

import collections
import logging
import threading
from typing import TYPE_CHECKING, Any

from midflight.errors import Code, plain
from midflight_plugins.admin._limits import Rate

if TYPE_CHECKING:
    from midflight import Runtime

_log = logging.getLogger("midflight.admin")
_A_MINUTE = 20  # entries of one token, or of all strangers; more are only counted


class Refusals:
    """Keeps a note of refusals in the journal and the log; safe from any thread.

    Args:
        runtime: whose journal it is.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._rate = Rate(_A_MINUTE / 60, _A_MINUTE)
        self._untold = collections.Counter[str]()
        self._lock = threading.Lock()

    async def note(self, code: Code, text: str, client: str, actor: str = "") -> None:
        """Write one down, from an event loop."""
        from starlette.concurrency import run_in_threadpool

        more = self._more(actor)
        if more is not None:
            text = f"{plain(text)} (from {plain(client, 64)}){more}"
            await run_in_threadpool(self._write, code, text, actor)

    def __call__(self, code: Code, text: str, *, actor: str = "") -> None:
        """Write one down, and wait for that."""
        more = self._more(actor)
        if more is not None:
            self._write(code, plain(text) + more, actor)

    def _more(self, actor: str) -> str | None:
        """Return what to add, `None` if there were too many lately.

        Each token has a budget of its own, so that no stranger hides what it did.
        """
        with self._lock:
            if self._rate.take(actor):
                self._untold[actor] += 1
                return None
            untold = self._untold.pop(actor, 0)
        return f"; {untold} more were not told" if untold else ""

    def _write(self, code: Code, text: str, actor: str) -> None:
        _log.warning("refused a request: %s: %s", code, text)
        entry: dict[str, Any] = {
            "outcome": "rejected",
            "reason": "request_refused",
            "actor": actor,
            "cause": "admin",
            "faults": [{"code": str(code), "text": f"{code}: {text}"}],
        }
        try:
            self._runtime.hook.record(entry=entry, runtime=self._runtime)
        except Exception:  # noqa: BLE001  # a journal that cannot be written refuses nobody
            _log.exception("a refusal was not written down")
