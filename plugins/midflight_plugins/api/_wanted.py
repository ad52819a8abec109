"""What shall become of a module's configuration, as a change of a layer's tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from midflight import Document
from midflight.errors import Code
from midflight_plugins.api._bodies import check_keys, check_plain
from midflight_plugins.api._http import Problem
from midflight_plugins.api._patch import merged, placed, whole

Tree = Mapping[str, Any]
_KINDS = ("config", "patch", "remove")

_MOST = 1_000  # values of one patch: each is placed by itself


@attrs.frozen
class Wanted:
    """A change of one module's configuration.

    Args:
        kind: `config` replaces all of it, `patch` merges (RFC 7396), `remove` takes
            away what the layer says of it.
        body: what to set.
    """

    kind: str
    body: Tree = attrs.field(factory=dict)

    @classmethod
    def of(cls, data: Any) -> Wanted:
        """Read it out of a body.

        Raises:
            Problem: 422 if it is not just one of the three.
        """
        given = [kind for kind in _KINDS if isinstance(data, dict) and data.get(kind)]
        if isinstance(data, dict) and not given:
            given = [kind for kind in _KINDS[:2] if data.get(kind) == {}]
        if len(given) != 1:
            words = "`config`, `patch` or `remove: true`"
            raise Problem(422, Code.E_REQUIRED, f"say what shall be done: {words}")
        check_keys(data, (*_KINDS, "module", "message"))
        kind, body = given[0], data[given[0]]
        if kind == "remove":
            body = {} if body is True else None
        if not isinstance(body, dict):
            what = "true" if kind == "remove" else "a mapping"
            raise Problem(422, Code.E_TYPE, f"`{kind}` is not {what}")
        check_plain(body)
        return cls(kind, body)

    def on(self, tree: Tree, name: str, now: Tree) -> Tree:
        """Return the tree of a layer with the change.

        Args:
            tree: what the layer stores.
            name: the module.
            now: the module's entry in force, before any `transform`.

        Raises:
            Problem: 404 if there is nothing to remove, 422 for too large a patch.
        """
        modules = tree.get("modules")
        modules = modules if isinstance(modules, Mapping) else {}
        entry = modules.get(name, {})
        if self.kind == "remove":
            if "config" not in entry:
                detail = f"the configuration of `{name}` is not overridden"
                raise Problem(404, Code.E_UNKNOWN, detail)
            left = {key: each for key, each in entry.items() if key != "config"}
            return _with_module(tree, modules, name, left)
        if self.kind == "config":
            return _with_module(
                tree, modules, name, {**entry, "config": whole(self.body)}
            )
        found = merged(self.body, now.get("config"), ("config",))
        for count, (keys, value) in enumerate(found):
            if count == _MOST:
                detail = f"a patch sets at most {_MOST} values; PUT the whole instead"
                raise Problem(422, Code.E_SIZE, detail)
            entry = placed(entry, now, keys, value)
        return _with_module(tree, modules, name, entry)

    def told(self, name: str, kind: str) -> Tree:
        """Return what it would set, as a document says it.

        Args:
            name: the module.
            kind: its type.
        """
        return {"modules": {name: {"type": kind, "config": self.body}}}


def _with_module(tree: Tree, modules: Tree, name: str, entry: Tree) -> Tree:
    """Return a tree with one module's entry; one without content leaves it."""
    others = {key: each for key, each in modules.items() if key != name}
    kept = {**others, name: entry} if name not in modules else {**modules, name: entry}
    kept = kept if entry else others
    rest = {key: each for key, each in tree.items() if key != "modules"}
    return {"modules": kept, **rest} if kept else rest


def tree_of(document: Document) -> dict[str, Any]:
    """Return a document as plain mappings, its modules by name."""
    modules = {
        name: {
            key: value
            for key, value in entry.as_mapping().items()
            if key != "name" and (key != "config" or value)
        }
        for name, entry in document.modules.items()
    }
    return {**({"modules": modules} if modules else {}), **document.sections}
