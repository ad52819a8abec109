"""The runtimes that have a source as a layer, and what they make of a change."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from midflight import Fault, Held, Outcome
from midflight.errors import MidflightError, StoppedError
from midflight_plugins.overrides._change import Judge, Nobody, Verdict

if TYPE_CHECKING:
    from midflight import Runtime

_UNKNOWN = frozenset({"source_unavailable", "apply_in_progress"})
_PATIENCE = 0.1  # s to wait for a turn before it is asked whether this is a hook
_ORDER = ("refused", "stopped", "stored", "held", "applied")


class Followers:
    """Asks each running runtime to apply what was stored; one writer at a time.

    Without turns, a change would be blamed for another one that is refused beside it.
    """

    def __init__(self) -> None:
        self._known: tuple[weakref.ref[Runtime], ...] = ()
        self._turn = threading.Lock()
        os.register_at_fork(after_in_child=_unlock(weakref.ref(self)))

    def add(self, runtime: Runtime) -> None:
        """Remember a runtime that reads the source."""
        if all(each() is not runtime for each in self._known):
            alive = [each for each in self._known if each() is not None]
            self._known = (*alive, weakref.ref(runtime))

    def _running(self) -> list[Runtime]:
        found = [each() for each in self._known]
        return [each for each in found if each is not None and each.running]

    @contextmanager
    def turn(self, *, approves: bool = False) -> Iterator[Judge]:
        """Wait for this writer's turn; yield who tells how its change ended.

        Inside a hook it must not wait: whose turn it is may wait for that hook.

        Args:
            approves: whether a plan that is held is carried out at once.
        """
        turn = self._turn
        if not turn.acquire(timeout=_PATIENCE):
            if any(map(_is_inside, self._running())):
                yield Nobody()
                return
            turn.acquire()
        try:
            yield _Judge(self, approves)
        finally:
            turn.release()

    def before(self) -> tuple[Fault, ...]:
        """Return what the runtimes refuse already."""
        refusing = [each for each in self._running() if each.status()["rejected"]]
        found = [_reloaded(each) for each in refusing]
        return tuple(fault for each in found if each for fault in each.faults)

    def ask(self, author: str, *, approves: bool) -> Verdict:
        """Let each runtime look, and return the worst that became of the change."""
        found = [_verdict(each, author, approves=approves) for each in self._running()]
        worst = sorted(found, key=lambda verdict: _ORDER.index(verdict.state))
        return worst[0] if worst else Verdict("stored")


@attrs.frozen
class _Judge:
    """Asks the followers on behalf of one writer."""

    _followers: Followers
    _approves: bool

    def before(self) -> tuple[Fault, ...]:
        """Return what the runtimes refuse already."""
        return self._followers.before()

    def ask(self, author: str) -> Verdict:
        """Let each runtime look, and return the worst that became of the change."""
        return self._followers.ask(author, approves=self._approves)


def _reloaded(runtime: Runtime) -> Outcome | None:
    """Let a runtime look now; `None` where it cannot be waited for."""
    try:
        outcome = runtime.reload()
    except StoppedError:
        return None
    except MidflightError:  # on the event loop of its hooks
        runtime.hint()
        return None
    return None if outcome.reason == "apply_in_progress" else outcome


def _is_inside(runtime: Runtime) -> bool:
    """Tell whether this thread runs a hook of a runtime; that looks again later."""
    try:
        return runtime.reload().reason == "apply_in_progress"
    except StoppedError:
        return False
    except MidflightError:  # on the event loop of its hooks
        runtime.hint()
        return True


def _verdict(runtime: Runtime, author: str, *, approves: bool) -> Verdict:
    outcome: Outcome | None
    try:
        outcome = runtime.reload(actor=author)
        if approves and isinstance(outcome, Held) and outcome.plan:
            outcome = runtime.approve(outcome.digest, actor=author)
    except StoppedError:
        return Verdict("stopped")
    except MidflightError:  # on the event loop of its hooks
        runtime.hint()
        return Verdict("stored")
    if str(outcome.reason) in _UNKNOWN:
        return Verdict("stored")
    if outcome.reason == "stopped":
        return Verdict("stopped")
    if outcome.ok:
        return Verdict("applied", outcome.generation)
    if isinstance(outcome, Held):
        return Verdict("held", outcome.generation)
    return Verdict("refused", outcome.generation, outcome.name, outcome.faults)


def _unlock(followers: weakref.ref[Followers]) -> Callable[[], None]:
    def unlock() -> None:
        alive = followers()
        if alive is not None:
            alive._turn = threading.Lock()  # noqa: SLF001  # its own

    return unlock
