"""What happened in this process, remembered for who asks later and told who listens."""

from __future__ import annotations

import collections
import itertools
import json
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from midflight import Applied
from midflight_plugins.api._data import outcome_data

if TYPE_CHECKING:
    from midflight import Outcome, Runtime

MISSED = "missed"
_log = logging.getLogger("midflight.api")
_KEY = "midflight.events"
_KEPT = 1_024
_INSTALLS = 256
_LISTED = 100  # steps and faults of one event
_ID = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?")


class Event(NamedTuple):
    """One thing that happened.

    Args:
        number: counts events, from 1; 0 for `missed`.
        id: `7` for the installation of generation 7, `7.2` for the second other thing
            that happened while 7 was in force; empty for `missed`.
        name: that of the outcome, or `missed`: some that came between are forgotten.
        text: its data as JSON.
        reason: that of the outcome.
        seconds: how long the attempt took.
    """

    number: int
    id: str
    name: str
    text: str  # one object, where thousands would hold up each garbage collection
    reason: str = ""
    seconds: float = 0.0

    @property
    def data(self) -> Any:
        """Its data: an outcome."""
        return json.loads(self.text)


class Events:
    """Remembers the newest events of a runtime; `Events.of(runtime)` is the one.

    Every method may be called from any thread. Who adds waits for nobody.

    Args:
        kept: how many are remembered.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._ring: collections.deque[Event] = collections.deque(maxlen=kept)
        self._installs: collections.deque[str] = collections.deque(maxlen=_INSTALLS)
        self._numbers = itertools.count(1)
        self._at = (0, 0)  # the generation in force, and what happened meanwhile
        self._fallen = (-1, 0)
        self._listeners: tuple[Callable[[Event], None], ...] = ()
        self._changing = threading.Lock()  # the listeners

    @classmethod
    def of(cls, runtime: Runtime) -> Events:
        """Return the one object of a runtime."""
        there = runtime.shared.get(_KEY)
        if there is None:
            there = runtime.shared.setdefault(_KEY, cls())
        assert isinstance(there, cls)
        return there

    def add(self, outcome: Outcome) -> None:
        """Remember an outcome and tell the listeners."""
        data = outcome_data(outcome, _LISTED)
        installed = isinstance(outcome, Applied)
        generation, count = self._at
        if installed or generation != outcome.generation:
            generation, count = outcome.generation, 0
        count += not installed
        self._at = (generation, count)
        if installed:
            self._installs.append(json.dumps(_install(outcome)))
        mark = f"{generation}.{count}" if count else str(generation)
        text = json.dumps(data, default=str)
        told = (text, str(outcome.reason), outcome.seconds)
        self._append(Event(next(self._numbers), mark, outcome.name, *told))

    def _append(self, event: Event) -> None:
        if len(self._ring) == self._ring.maxlen:
            self._fallen = _order(self._ring[0].id) or self._fallen
        self._ring.append(event)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # it stops neither others nor a change
                _log.exception("a listener of events failed")

    def since(self, last_event_id: str | None) -> list[Event]:
        """Return what happened after an event, oldest first.

        Args:
            last_event_id: the `id` that was received last; nothing for who had none.
                One that was never given, such as another process's, gets everything.

        Returns:
            Events; the first is `missed` if some that came between are forgotten.
        """
        if not last_event_id:
            return []
        after, ring = _order(last_event_id), self._all()
        newest = _order(ring[-1].id) if ring else None
        if after is None or newest is None or after > newest:
            return [_missed(last_event_id), *ring]
        later = [each for each in ring if (_order(each.id) or after) > after]
        lost = self._fallen > after
        return [_missed(last_event_id), *later] if lost else later

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call a function with each further event, on the thread that applies.

        It must not block. To miss nothing, subscribe first, then ask `since`, and
        leave out each `number` that came already.

        Returns:
            A function that ends it.
        """
        with self._changing:
            self._listeners = (*self._listeners, callback)

        def unsubscribe() -> None:
            with self._changing:
                left = [each for each in self._listeners if each is not callback]
                self._listeners = tuple(left)

        return unsubscribe

    def records(self, limit: int, before: int | None) -> list[dict[str, Any]]:
        """Return what happened in the words of the journal, newest first.

        Args:
            limit: how many.
            before: the `number` of a record: only older ones; `None` for the newest.
        """
        older = (
            each
            for each in reversed(self._all())
            if before is None or each.number < before
        )
        return [_record(each) for each in itertools.islice(older, limit)]

    def installs(self) -> list[dict[str, Any]]:
        """Return the generations that this process has installed, newest first."""
        return [json.loads(each) for each in reversed(_copy(self._installs))]

    def _all(self) -> Sequence[Event]:
        return _copy(self._ring)


def _copy(ring: collections.deque[Any]) -> list[Any]:
    """Copy a ring that another thread appends to."""
    while True:
        try:
            return list(ring)
        except RuntimeError:  # it grew meanwhile
            continue


def _order(mark: str) -> tuple[int, int] | None:
    """Return what ids are sorted by, `None` of what is none."""
    there = _ID.fullmatch(mark)
    return (int(there[1]), int(there[2] or 0)) if there else None


def _missed(mark: str) -> Event:
    return Event(0, "", MISSED, json.dumps({"since": mark[:40]}))


def _install(outcome: Outcome) -> dict[str, Any]:
    return {
        "generation": outcome.generation,
        "digest": outcome.digest,
        "at": outcome.at,
        "actor": outcome.actor,
        "cause": outcome.cause,
        "reason": str(outcome.reason),
    }


def _record(event: Event) -> dict[str, Any]:
    data: Mapping[str, Any] = event.data
    words = ("at", "cause", "actor", "base", "digest", "generation", "outcome")
    more = ("reason", "seconds", "steps", "warnings", "degraded")
    faults = [{"code": each["code"], "text": _text(each)} for each in data["faults"]]
    told = {word: data[word] for word in (*words, *more)}
    return {"number": event.number, **told, "faults": faults}


def _text(fault: Mapping[str, Any]) -> str:
    where = f" at `{fault['path']}`" if fault["path"] else ""
    return f"{fault['code']}: {fault['message']}{where}"
