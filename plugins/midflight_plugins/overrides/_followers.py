"""The runtimes that have a source as a layer, and what they make of a change."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from midflight import Fault, Held, Outcome
from midflight.errors import StoppedError
from midflight_plugins.api import Turn
from midflight_plugins.overrides._change import Judge, Nobody, Verdict

if TYPE_CHECKING:
    from midflight import Runtime

_UNKNOWN = frozenset({"source_unavailable", "apply_in_progress"})
_ORDER = ("refused", "stopped", "stored", "held", "applied")


class Followers:
    """Asks each running runtime to apply what was stored; one writer at a time.

    Without turns, a change would be blamed for another one that is refused beside it.
    """

    def __init__(self) -> None:
        self._known: tuple[weakref.ref[Runtime], ...] = ()
        self._turn = Turn()
        self._mine = threading.local()

    def add(self, runtime: Runtime) -> None:
        """Remember a runtime that reads the source."""
        if all(each() is not runtime for each in self._known):
            alive = [each for each in self._known if each() is not None]
            self._known = (*alive, weakref.ref(runtime))

    def _running(self) -> list[Runtime]:
        found = [each() for each in self._known]
        return [each for each in found if each is not None and each.running]

    @contextmanager
    def turn(self, *, approves: str = "") -> Iterator[Judge]:
        """Wait for this writer's turn; yield who tells how its change ended.

        Inside a hook nobody can tell: the runtimes look when it is over.

        Args:
            approves: the digest of a plan that is carried out if it is held.
        """
        running = self._running()
        with self._turn.taken(running) as is_taken:
            self._mine.asked = running if is_taken else ()
            try:
                yield _Judge(self, approves) if is_taken else Nobody()
            finally:
                self._mine.asked = ()
        for runtime in () if is_taken else running:
            runtime.hint()

    def asks(self, runtime: Runtime) -> bool:
        """Tell whether this thread writes, and asks that runtime afterwards."""
        asked = getattr(self._mine, "asked", ())
        return any(each is runtime for each in asked)

    def before(self) -> tuple[Fault, ...]:
        """Return what the runtimes refuse already."""
        refusing = [each for each in self._running() if each.rejected]
        found = [_reloaded(each) for each in refusing]
        return tuple(fault for each in found if each for fault in each.faults)

    def ask(self, author: str, *, approves: str) -> Verdict:
        """Let each runtime look, and return the worst that became of the change."""
        found = [_verdict(each, author, approves=approves) for each in self._running()]
        worst = sorted(found, key=lambda verdict: _ORDER.index(verdict.state))
        return worst[0] if worst else Verdict("stored")


@attrs.frozen
class _Judge:
    """Asks the followers on behalf of one writer."""

    _followers: Followers
    _approves: str

    def before(self) -> tuple[Fault, ...]:
        """Return what the runtimes refuse already."""
        return self._followers.before()

    def ask(self, author: str) -> Verdict:
        """Let each runtime look, and return the worst that became of the change."""
        return self._followers.ask(author, approves=self._approves)


def _reloaded(runtime: Runtime) -> Outcome | None:
    """Let a runtime look now; `None` if it does not run."""
    try:
        return runtime.reload()
    except StoppedError:
        return None


def _verdict(runtime: Runtime, author: str, *, approves: str) -> Verdict:
    try:
        outcome = runtime.reload(actor=author)
        if isinstance(outcome, Held) and outcome.plan and outcome.digest == approves:
            outcome = runtime.approve(approves, actor=author)
    except StoppedError:
        return Verdict("stopped")
    if str(outcome.reason) in _UNKNOWN:
        return Verdict("stored")
    if outcome.reason == "stopped":
        return Verdict("stopped")
    if outcome.ok:
        return Verdict("applied", outcome.generation)
    if isinstance(outcome, Held):
        return Verdict("held", outcome.generation)
    return Verdict("refused", outcome.generation, outcome.name, outcome.faults)
