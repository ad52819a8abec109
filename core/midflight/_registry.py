"""Finds plugins one by one, and imports them lazily, by name."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from midflight._entries import OURS, PluginEntry, barred, identity, installed, is_block
from midflight.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUPS = {
    "source": "midflight.sources",
    "module": "midflight.modules",
    "strategy": "midflight.strategies",
    "plugin": "midflight.plugins",
    "command": "midflight.commands",
    "secret": "midflight.secrets",
}


class PluginRegistry:
    """Every installed plugin; imports only what is named.

    Args:
        points: entry points to use instead of those of the environment.
        allow: what of others may be imported, by name, `role:name` or distribution,
            spelt as an installer takes them; by default all, if empty nothing.
        block: what may not be imported, be it ours, in the same words.
    """

    def __init__(
        self,
        points: EntryPoints | None = None,
        allow: Iterable[str] | None = None,
        block: Iterable[str] = (),
    ) -> None:
        self._points, self._block = points, frozenset(block)
        self._allow = None if allow is None else frozenset(allow)

    def without(self, plugins: Iterable[str | object]) -> PluginRegistry:
        """Return itself, or one that blocks each `no:WORD` of `plugins` as well."""
        block = {str(each)[3:] for each in plugins if is_block(each)} | self._block
        return (
            self
            if block == self._block
            else PluginRegistry(self._points, self._allow, block)
        )

    def entries(self) -> tuple[PluginEntry, ...]:
        """Return all entries, by role and name; none is imported for that."""
        return tuple(
            sorted(
                (each for rivals in self._claims.values() for each in rivals),
                key=lambda e: (e.role, e.name, e.distribution),
            )
        )

    def names(self, role: str) -> list[str]:
        """Return the names that a role has, sorted."""
        return sorted(name for kind, name in self._claims if kind == role)

    def load(self, role: str, name: str) -> Any:
        """Import and return the target of a role and name.

        Raises:
            PluginError: if there is none, or it cannot be imported.
            DuplicatePluginError: if two distributions claim the name.
        """
        if (role, name) not in self._claims:
            what = f"in what is installed, no {role} is called"
            raise PluginError.unknown(what, name, self.names(role))
        return self._claims[role, name][0].load()

    @functools.cached_property
    def _claims(self) -> dict[tuple[str, str], list[PluginEntry]]:
        """Who claims each name, the one that has it first.

        One that two others claim is nobody's, unless all but one are kept away.
        """
        found: dict[tuple[str, str], dict[str, PluginEntry]] = {}
        for entry in sorted(
            self._scan(), key=lambda e: (e.distribution != OURS, e.distribution)
        ):
            found.setdefault((entry.role, entry.name), {}).setdefault(
                entry.distribution, entry
            )
        for rivals in found.values():
            ours = rivals.get(OURS)
            others = [
                each
                for each in rivals.values()
                if each is not ours and each.state == "available"
            ]
            amiss = (
                ("reserved", f"the name is reserved by {OURS}")
                if ours
                else (
                    "conflict",
                    f"{' and '.join(e.distribution for e in others)} claim the name",
                )
            )
            for each in others if ours or len(others) > 1 else ():
                each.state, each.reason = amiss
        return {
            claim: sorted(rivals.values(), key=lambda e: e.state != "available")
            for claim, rivals in found.items()
        }

    def _scan(self) -> Iterator[PluginEntry]:
        from importlib.metadata import EntryPoints

        points = EntryPoints(installed()) if self._points is None else self._points
        known = functools.cache(identity)
        for role, group in GROUPS.items():
            for point in points.select(group=group):
                name, version, amiss = (
                    known(point.dist)
                    if point.dist
                    else ("(unknown)", "", ("available", ""))
                )
                yield PluginEntry(
                    role,
                    point.name,
                    name,
                    version,
                    point.value,
                    *(
                        barred(role, point.name, name, self._allow, self._block)
                        or amiss
                    ),
                    point,
                )
