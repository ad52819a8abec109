"""One change of a store: compare and swap, and take it back if it is refused."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import attrs

from midflight import Document, Fault, Place
from midflight.errors import Code, ConflictError, InvalidConfigurationError, dotted
from midflight_plugins.overrides._edit import (
    Keys,
    alike,
    named,
    value_at,
    with_value,
    without,
)

TRIES = 100  # each lost try means that another writer won: enough for 64 at once
_LONGEST = 0.05  # s between two tries
ANY: Any = object()
"""As `expected_version`: whatever the head is."""
UNSET: Any = object()
"""As a value: that there is none."""


@attrs.frozen
class Head:
    """What a store holds: its document as plain mappings, `None` as version if none."""

    tree: Mapping[str, Any]
    version: str | int | None
    text: str | None


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
        state: `applied`, `held`, `stored` if that cannot be known, or `refused`.
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
    """

    version: str | int
    changed: bool
    state: str
    generation: int = 0
    standing: tuple[Fault, ...] = ()


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

    def __init__(self, faults: tuple[Fault, ...], ended: str) -> None:
        self.ended = ended
        super().__init__(faults or Fault(Code.E_STEP, f"the change was {ended}"))


@attrs.frozen
class Edit:
    """One value to set, or, with `UNSET`, to take away."""

    keys: Keys
    value: Any

    def done(self, tree: Mapping[str, Any]) -> dict[str, Any]:
        """Return a tree with the change."""
        if self.value is UNSET:
            return without(tree, self.keys)
        return with_value(tree, self.keys, self.value)

    def undone(
        self, tree: Mapping[str, Any], before: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return a later tree with this value as it was before.

        Returns:
            `None` if somebody has changed it since.
        """
        now = _found(tree, self.keys)
        known = now is not UNSET and self.value is not UNSET
        if not (alike(now, self.value) if known else now is self.value):
            return None
        old = _found(before, self.keys)
        if old is UNSET and now is UNSET:
            return dict(tree)
        return Edit(self.keys, old).done(tree)

    def brought(
        self, after: Iterable[Fault], before: Iterable[Fault]
    ) -> tuple[Fault, ...]:
        """Return the faults that this change brings.

        What is wrong with the value that is set is its fault, though the value before
        it was wrong in the same way.
        """
        known = {(fault.code, dotted(fault.path)) for fault in before}
        return tuple(
            fault
            for fault in after
            if (fault.code, dotted(fault.path)) not in known
            or (
                self.value is not UNSET
                and _is_within(dotted(fault.path), dotted(self.keys))
            )
        )


def _is_within(where: str, at: str) -> bool:
    """Tell whether a path is another one, or leads on from there."""
    return where == at or where.startswith((f"{at}.", f"{at}["))


def _unplaced(fault: Fault, keys: Keys) -> Fault:
    """Return a fault without the line of an override that is taken back."""
    where, at = dotted(fault.path), dotted(keys)
    if fault.place is None or not (_is_within(where, at) or _is_within(at, where)):
        return fault
    place = attrs.evolve(fault.place, line=None, column=None)
    return attrs.evolve(fault, place=place)


def _found(tree: Mapping[str, Any], keys: Keys) -> Any:
    try:
        return value_at(tree, keys)
    except KeyError:
        return UNSET


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

    def write(self, edit: Edit, expected: Any = ANY) -> Written:
        """Make one change, and take it back if it is refused.

        Raises:
            ConflictError: if `expected` is not the head, or others are quicker each
                time.
            RefusedError: if it does not fit; it is not kept.
            KeyError: if there is nothing to unset.
            MidflightError: if it is not stored, or nobody can tell.
        """
        standing = self.judge.before()
        before, version = self._swap(edit, expected)
        changed = str(version) != str(before.version)
        verdict = self.judge.ask(self.author)
        if verdict.state != "refused":
            return Written(version, changed, verdict.state, verdict.generation)
        brought = edit.brought(verdict.faults, standing)
        if changed and (brought or not verdict.faults):
            told = (_unplaced(fault, edit.keys) for fault in brought)
            error = RefusedError(tuple(told), verdict.ended)
            old = (fault for fault in verdict.faults if fault not in brought)
            self._take_back(edit, before, version, error)
            for fault in old:
                error.add_note(f"was there before: {fault}")
            self.judge.ask(self.author)  # back on what was in force before
            raise error
        return Written(version, changed, "stored", verdict.generation, verdict.faults)

    def _swap(self, edit: Edit, expected: Any) -> tuple[Head, str | int]:
        for attempt in range(TRIES):
            head = self.store.head()
            if expected is not ANY and str(expected) != str(head.version):
                break
            document = self._document(edit.done(head.tree))
            try:
                version = self.store.put(
                    document, head.version, self.author, self.message
                )
            except ConflictError:
                if expected is not ANY:
                    raise
                _pause(attempt)
            else:
                return head, version
        else:
            msg = f"{self.store.name}: others were quicker {TRIES} times; try again"
            raise ConflictError(msg)
        msg = f"{self.store.name}: the head is version {head.version}, not {expected}"
        raise ConflictError(msg)

    def _document(self, tree: Mapping[str, Any]) -> Document:
        return Document.from_mapping(tree, lambda _path: Place(self.store.name))

    def _take_back(
        self, edit: Edit, before: Head, version: str | int, error: RefusedError
    ) -> None:
        """Put back what was there; what others have changed meanwhile stays."""
        message = f"taken back, since it was refused: {self.message}".rstrip(": ")
        try:
            for attempt in range(TRIES):
                head = self.store.head()
                tree, text = edit.undone(head.tree, before.tree), None
                if str(head.version) == str(version):
                    tree, text = dict(before.tree), before.text
                if tree is None:
                    error.add_note(f"others have changed {named(edit.keys)} since")
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


def _pause(attempt: int) -> None:
    """Let others go first, for a moment that is longer each time."""
    longest = min(_LONGEST, 0.001 * 2**attempt)
    time.sleep(random.uniform(0, longest))  # noqa: S311  # jitter needs no secret randomness
