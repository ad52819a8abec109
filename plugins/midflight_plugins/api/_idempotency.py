"""Makes a repeated request the same request: it is done once, and answered twice."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable

import attrs

from midflight.errors import Code
from midflight_plugins.api._http import Answer, Problem, Request

_MOST = 1_024
_VALID = 86_400.0  # s
_PATIENCE = 120.0  # s that a doubled request waits for the first
_LONGEST = 255  # characters of a key
_KEPT = frozenset({*range(200, 300), 422})  # another may be better at the next try


@attrs.define(eq=False)
class _Once:
    """A request with a key, and its answer once there is one."""

    print: str
    at: float
    answer: Answer | None = None
    done: threading.Event = attrs.field(factory=threading.Event)


class Idempotency:
    """Remembers answers by key and caller, for a day.

    Args:
        clock: seconds, for a test.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], _Once] = {}
        self._lock = threading.Lock()

    def once(self, request: Request, what: str, act: Callable[[], Answer]) -> Answer:
        """Do something, unless this request did it before.

        Args:
            request: has an `Idempotency-Key`, or is done as it is.
            what: its method and path.
            act: does it.

        Raises:
            Problem: 422 if the key was used for another request; 409 if the first one
                does not end.
        """
        key = request.headers.get("idempotency-key")
        if key is None:
            return act()
        if not 0 < len(key) <= _LONGEST:
            detail = f"`Idempotency-Key` has 1 to {_LONGEST} characters"
            raise Problem(400, Code.E_VALUE, detail)
        mark = (request.caller.name, key)
        found, is_mine = self._found(mark, _print(request, what))
        return self._made(mark, found, act) if is_mine else _awaited(found)

    def _found(self, mark: tuple[str, str], print_: str) -> tuple[_Once, bool]:
        with self._lock:
            now = self._clock()
            self._expire(now)
            known = self._kept.get(mark)
            if known is None:
                known = self._kept[mark] = _Once(print_, now)
                return known, True
        if known.print != print_:
            detail = "this `Idempotency-Key` was used for another request"
            raise Problem(422, Code.E_CONFLICT, detail)
        return known, False

    def _expire(self, now: float) -> None:
        """Let go of what is old, and of the oldest if there are too many.

        What is under way stays: a second one would do it again.
        """
        for mark, each in list(self._kept.items()):
            if now - each.at < _VALID and len(self._kept) < _MOST:
                return
            if each.done.is_set():
                del self._kept[mark]

    def _made(
        self, mark: tuple[str, str], mine: _Once, act: Callable[[], Answer]
    ) -> Answer:
        try:
            mine.answer = act()
            return mine.answer
        finally:
            if mine.answer is None or mine.answer.status not in _KEPT:
                with self._lock:
                    if self._kept.get(mark) is mine:
                        del self._kept[mark]
            mine.done.set()


def _awaited(first: _Once) -> Answer:
    if not first.done.wait(_PATIENCE) or first.answer is None:
        detail = "the same request is under way; repeat it later"
        headers = {"Retry-After": "1"}
        raise Problem(409, Code.E_CONFLICT, detail, headers=headers)
    headers = {**first.answer.headers, "Idempotency-Replayed": "true"}
    return attrs.evolve(first.answer, headers=headers)


def _print(request: Request, what: str) -> str:
    parts = [what, sorted(request.params.items()), sorted(request.query.items())]
    match = request.headers.get("if-match", "")
    text = json.dumps([*parts, match]).encode() + b"\n" + request.body
    return hashlib.sha256(text).hexdigest()
