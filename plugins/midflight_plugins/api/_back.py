"""What a layer must hold so that a configuration of before is in force again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from midflight import Diff, Document, Loaded
from midflight.errors import Code
from midflight_plugins.api._before import is_above_the_same, raw_of
from midflight_plugins.api._http import Problem
from midflight_plugins.api._loaded import raw_document
from midflight_plugins.api._patch import ABSENT, PATCH, REPLACE, placed, whole
from midflight_plugins.api._preview import laid, top_layer
from midflight_plugins.api._wanted import tree_of

if TYPE_CHECKING:
    from midflight import Runtime
    from midflight_plugins.api._kept import InForce

Tree = Mapping[str, Any]


def tree_back(runtime: Runtime, stored: Tree, wanted: InForce) -> Tree:
    """Return the tree of the overrides layer with which something is in force again.

    If the layers below are as they were, that is what the layer held then. If not,
    each value that differs is set.

    Args:
        runtime: whose layers.
        stored: what the overrides layer holds now.
        wanted: what was in force then.

    Raises:
        Problem: 409 if no overrides lead there, 410 if it is not kept.
    """
    if wanted.held is not None and is_above_the_same(runtime, wanted):
        return tree_of(wanted.held)
    document = raw_of(runtime, wanted)
    tree = _along(Diff.between(_with(runtime, stored), document), stored)
    if _with(runtime, tree).digest != document.digest:
        detail = "no overrides lead there from what the layers below hold by now"
        raise Problem(409, Code.E_CONFLICT, detail)
    return tree


def _with(runtime: Runtime, tree: Tree) -> Document:
    """Return what would be read if the overrides layer held a tree."""
    held = Loaded(Document.from_mapping(tree))
    return raw_document(laid(runtime, top_layer(runtime), held))


def _along(diff: Diff, stored: Tree) -> Tree:
    """Set each value that differs."""
    tree, alone = dict(stored), stored.get(PATCH) == REPLACE
    modules = dict(tree.pop("modules", {}))
    for name in (*diff.removed, *diff.added, *diff.modified):
        entry = modules.get(name)
        below = {} if entry is None else {name: entry}
        modules[name] = _module(diff, name, below, alone=alone).get(name)
    modules = {name: each for name, each in modules.items() if each is not None}
    for each in diff.key_changes() if diff.sections else ():
        if each.path[0] != "modules":
            keys, value = _keys(each.path), _value(each)
            tree = placed(tree, diff.old.sections, keys, value, alone=alone)
    return {"modules": modules, **tree} if modules else tree


def _module(diff: Diff, name: str, below: Tree, *, alone: bool) -> Tree:
    """Return the layer's entry of a module, by its name; empty if it needs none."""
    old, new = diff.module(name)
    now = {name: old.as_mapping()} if old else {}
    if new is None:
        return placed(below, now, (name,), ABSENT, alone=alone)
    entry = {key: each for key, each in new.as_mapping().items() if key != "name"}
    dropped = old is not None and old.depends_on and not new.depends_on
    if old is None or dropped:  # an empty list says nothing
        return {name: whole(entry)}
    for each in diff.key_changes(name):
        below = placed(below, now, _keys(each.path)[1:], _value(each), alone=alone)
    return below


def _keys(path: Sequence[str | int]) -> tuple[str, ...]:
    return tuple(map(str, path))


def _value(change: Any) -> Any:
    return change.sides.get("new", ABSENT)
