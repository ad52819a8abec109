"""One change of a store: compare and swap, and take it back if it is refused."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Protocol

import attrs

from midflight import Document, Fault, Place
from midflight.errors import (
    Code,
    ConflictError,
    InvalidConfigurationError,
    MidflightError,
    StoppedError,
    dotted,
)
from midflight_plugins.overrides._planned import Edit, Head, Planned, Rewrite

TRIES = 100  # each lost try means that another writer won: enough for 64 at once
_LONGEST = 0.05  # s between two tries
ANY: Any = object()
"""As `expected_version`: whatever the head is."""


class Store(Protocol):
    """Where overrides are kept."""

    name: str

    def head(self) -> Head:
        """Read what is there."""

    def put(
        self,
        document: Document,
        expected: str | int | None,
        author: str,
        message: str,
        text: str | None = None,
    ) -> str | int:
        """Store a document on top of a version, and return the new one."""


@attrs.frozen
class Verdict:
    """What became of a stored change.

    Args:
        state: `applied`, `held`, `stored` if that cannot be known, `stopped` if who
            was to apply it ends, or `refused`.
        generation: the one in force after it, 0 if unknown.
        ended: the name of a refusing outcome, as in `rolled_back`.
        faults: why it was refused.
    """

    state: str
    generation: int = 0
    ended: str = ""
    faults: tuple[Fault, ...] = ()


@attrs.frozen
class Written:
    """An override that was stored.

    Args:
        version: of the store, after it.
        changed: whether that is a new version.
        state: `applied` if it is in force; `held` if it waits for an approval;
            `stored` if it is not yet applied, or nobody here can tell.
        generation: the one in force after it, 0 if unknown.
        standing: what the configuration is still refused for, and was before.
        tree: what the store holds since, as plain mappings, its modules by name.
    """

    version: str | int
    changed: bool
    state: str
    generation: int = 0
    standing: tuple[Fault, ...] = ()
    tree: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)


class Judge(Protocol):
    """Who can tell what a running configuration makes of the store."""

    def before(self) -> tuple[Fault, ...]:
        """Return what it is refused for already, before anything is stored."""

    def ask(self, author: str) -> Verdict:
        """Return what became of the newest version."""


class Nobody:
    """Judges where no configuration runs."""

    def before(self) -> tuple[Fault, ...]:
        """Return nothing: nobody knows."""
        return ()

    def ask(self, author: str) -> Verdict:  # noqa: ARG002  # of a judge
        """Say that it is stored, and no more."""
        return Verdict("stored")


class RefusedError(InvalidConfigurationError):
    """The running configuration does not take an override; it was not kept.

    Args:
        faults: why.
        ended: the name of the outcome, such as `rejected` or `rolled_back`.
    """

    is_elsewhere = True
    """Its places are as a running service calls them, wherever that has its files."""

    def __init__(self, faults: tuple[Fault, ...], ended: str) -> None:
        self.ended = ended
        super().__init__(faults or Fault(Code.E_STEP, f"the change was {ended}"))


class StandingError(RefusedError):
    """A change cannot be judged while something else is refused; it was not kept."""

    is_standing = True


@attrs.frozen
class Writer:
    """Makes changes of one store.

    Args:
        store: where they go.
        judge: who tells what became of them.
        author: who makes them, for the history.
        message: why.
    """

    store: Store
    judge: Judge
    author: str = ""
    message: str = ""

    def write(self, wanted: Edit | Rewrite, expected: Any = ANY) -> Written:
        """Make one change, and take it back if it is refused.

        While something else is refused, nobody can tell whether this would be as well:
        it is kept only if it mends some of that.

        Raises:
            ConflictError: if `expected` is not the head, or others are quicker each
                time.
            RefusedError: if it does not fit; it is not kept.
            StandingError: if something else is refused, and stays so; it is not kept.
            StoppedError: if who was to apply it ends; it is not kept.
            KeyError: if there is nothing to unset.
            MidflightError: if it is not stored, or nobody can tell.
        """
        standing = self.judge.before()
        before, planned, version = self._swap(wanted, expected)
        changed = str(version) != str(before.version)
        verdict = self.judge.ask(self.author)
        state, faults = verdict.state, verdict.faults
        if state == "stopped":
            msg = "the runtime stops; the change was not applied"
            error: MidflightError = StoppedError(msg)
            if changed:
                self._take_back(planned, before, version, error)
            raise error
        if state == "refused":
            brought = planned.brought(faults, standing)
            if changed and (brought or not _is_less(faults, standing)):
                self._refuse(planned, before, version, verdict, brought)
            state = "stored"
        made = (version, changed, state, verdict.generation)
        return Written(*made, standing=faults, tree=planned.tree)

    def _refuse(
        self,
        planned: Planned,
        before: Head,
        version: str | int,
        verdict: Verdict,
        brought: tuple[Fault, ...],
    ) -> NoReturn:
        """Take a change back, and say why.

        Raises:
            RefusedError: always.
        """
        error = RefusedError(tuple(map(planned.unplaced, brought)), verdict.ended)
        if verdict.faults and not brought:
            error = StandingError(verdict.faults, verdict.ended)
            error.add_note("it was refused already: mend that first")
        self._take_back(planned, before, version, error)
        for fault in verdict.faults if brought else ():
            if fault not in brought:
                error.add_note(f"was there before: {fault}")
        self.judge.ask(self.author)  # back on what was in force before
        raise error

    def _swap(
        self, wanted: Edit | Rewrite, expected: Any
    ) -> tuple[Head, Planned, str | int]:
        for attempt in range(TRIES):
            head = self.store.head()
            if expected is not ANY and str(expected) != str(head.version):
                break
            planned = wanted.on(head)
            try:
                version = self.store.put(
                    self._document(planned.tree),
                    head.version,
                    self.author,
                    self.message,
                )
            except ConflictError:
                if expected is not ANY:
                    raise
                _pause(attempt)
            else:
                return head, planned, version
        else:
            msg = f"{self.store.name}: others were quicker {TRIES} times; try again"
            raise ConflictError(msg)
        msg = f"{self.store.name}: the head is version {head.version}, not {expected}"
        raise ConflictError(msg)

    def _document(self, tree: Mapping[str, Any]) -> Document:
        return Document.from_mapping(tree, lambda _path: Place(self.store.name))

    def _take_back(
        self, planned: Planned, before: Head, version: str | int, error: MidflightError
    ) -> None:
        """Put back what was there; what others have changed meanwhile stays."""
        message = f"taken back, since it was refused: {self.message}".rstrip(": ")
        try:
            for attempt in range(TRIES):
                head = self.store.head()
                tree, text = planned.undone(head.tree, before.tree), None
                if str(head.version) == str(version):
                    tree, text = dict(before.tree), before.text
                if tree is None:
                    error.add_note(f"others have changed {planned.names} since")
                    return
                try:
                    document = self._document(tree)
                    self.store.put(document, head.version, self.author, message, text)
                except ConflictError:
                    _pause(attempt)
                else:
                    error.add_note("it was taken back: the store is as before")
                    return
        except Exception as exc:
            error.add_note(f"it could not be taken back and is still stored: {exc}")
            raise error from exc
        error.add_note("it is still stored: others were quicker each time")


def _is_less(after: Iterable[Fault], before: Iterable[Fault]) -> bool:
    """Tell whether some faults are a part of others, and not all of them."""
    now, then = (
        {(fault.code, dotted(fault.path)) for fault in each} for each in (after, before)
    )
    return bool(now) and now < then


def _pause(attempt: int) -> None:
    """Let others go first, for a moment that is longer each time."""
    longest = min(_LONGEST, 0.001 * 2**attempt)
    time.sleep(random.uniform(0, longest))  # noqa: S311  # jitter needs no secret randomness
