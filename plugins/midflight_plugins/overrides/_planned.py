"""What shall become of a store: one value, or the whole tree; and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from midflight import Fault
from midflight.errors import dotted
from midflight_plugins.overrides._edit import (
    Keys,
    Tree,
    alike,
    differing,
    named,
    value_at,
    with_value,
    without,
)

UNSET: Any = object()
"""As a value: that there is none."""


@attrs.frozen
class Head:
    """What a store holds: its document as plain mappings, `None` as version if none."""

    tree: Mapping[str, Any]
    version: str | int | None
    text: str | None


Look = Callable[[Head, Tree], None]
"""Gets what is stored and what will be; what it raises ends a write."""


def unlooked(head: Head, tree: Tree) -> None:
    """Raise nothing, whatever is stored."""


@attrs.frozen
class Edit:
    """One value to set, or, with `UNSET`, to take away.

    Args:
        keys: where.
        value: what to set.
        look: is asked before it is stored.
    """

    keys: Keys
    value: Any
    look: Look = unlooked

    def on(self, head: Head) -> Planned:
        """Return what comes of a store."""
        tree = self.done(head.tree)
        self.look(head, tree)
        return Planned(tree, (self,))

    def done(self, tree: Tree) -> dict[str, Any]:
        """Return a tree with the change."""
        if self.value is UNSET:
            return without(tree, self.keys)
        return with_value(tree, self.keys, self.value)

    def undone(self, tree: Tree, before: Tree) -> dict[str, Any] | None:
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

    def holds(self, path: str) -> bool:
        """Tell whether a path leads to the value that is set, or on from there."""
        return self.value is not UNSET and _is_within(path, dotted(self.keys))


@attrs.frozen
class Rewrite:
    """Any change of the whole tree.

    Args:
        change: makes a new tree of the one that is stored, and of its version; it may
            be asked again if another writer was quicker. What it raises ends the
            write, and nothing is stored.
    """

    change: Callable[[Tree, str | int | None], Tree]

    def on(self, head: Head) -> Planned:
        """Return what comes of a store."""
        tree = self.change(head.tree, head.version)
        return Planned(tree, tuple(_edits(head.tree, tree)))


def _edits(old: Tree, new: Tree) -> Iterable[Edit]:
    for keys, value in differing(old, new, UNSET):
        yield Edit(keys, value)


@attrs.frozen
class Planned:
    """What a store is to hold, and the values of it that are new.

    Args:
        tree: all of it.
        edits: each value that differs from what the store held.
    """

    tree: Tree
    edits: tuple[Edit, ...]

    def undone(self, tree: Tree, before: Tree) -> dict[str, Any] | None:
        """Return a later tree with these values as they were before.

        Returns:
            `None` if somebody has changed one of them since.
        """
        for edit in self.edits:
            undone = edit.undone(tree, before)
            if undone is None:
                return None
            tree = undone
        return dict(tree)

    def brought(
        self, after: Iterable[Fault], before: Iterable[Fault]
    ) -> tuple[Fault, ...]:
        """Return the faults that this change brings.

        What is wrong with a value that is set is its fault, though the value before
        it was wrong in the same way.
        """
        known = {(fault.code, dotted(fault.path)) for fault in before}
        return tuple(
            fault
            for fault in after
            if (fault.code, dotted(fault.path)) not in known
            or any(edit.holds(dotted(fault.path)) for edit in self.edits)
        )

    def unplaced(self, fault: Fault) -> Fault:
        """Return a fault without the line of an override that is taken back."""
        where, place = dotted(fault.path), fault.place
        paths = [dotted(edit.keys) for edit in self.edits]
        if place is None or not any(
            _is_within(where, at) or _is_within(at, where) for at in paths
        ):
            return fault
        return attrs.evolve(fault, place=attrs.evolve(place, line=None, column=None))

    @property
    def names(self) -> str:
        """The paths that differ, for a message."""
        return ", ".join(named(edit.keys) for edit in self.edits[:3])


def _is_within(where: str, at: str) -> bool:
    """Tell whether a path is another one, or leads on from there."""
    return where == at or where.startswith((f"{at}.", f"{at}["))


def _found(tree: Mapping[str, Any], keys: Keys) -> Any:
    try:
        return value_at(tree, keys)
    except KeyError:
        return UNSET
