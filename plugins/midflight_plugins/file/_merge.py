"""Put the modules and sections of several files together.

Two rules, for two ways to name another file:

- `imports:` the importing file wins. The first definition of a module wins. A section
  that is a mapping in both gets the entries it does not have yet; any other section is
  taken whole from the first file that has it; the lists under `requires` are joined.
- `application:` nobody wins. Modules, triggers and pipelines of one name in two files
  are a conflict. Other sections are merged key by key, lists are joined, and two
  different scalars under one key are a conflict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from midflight import ModuleConfig
from midflight.errors import Code, Fault, Path, dotted
from midflight_plugins.file._unit import Unit

_NAMED = ("triggers", "pipelines")


@attrs.define(eq=False)
class Merged:
    """What a file and all files below it hold together.

    Args:
        modules: by name.
        units: the files, the strongest first.
        sections: by name.
        owners: the files that have a say in each section, the strongest first.
    """

    modules: dict[str, ModuleConfig] = attrs.field(factory=dict)
    units: list[Unit] = attrs.field(factory=list)
    sections: dict[str, Any] = attrs.field(factory=dict)
    owners: dict[str, list[Unit]] = attrs.field(factory=dict)

    def home(self, module: str) -> Unit | None:
        """Return the file that defines a module."""
        held = (unit for unit in self.units if module in _modules(unit))
        return next(held, None)

    def take_modules(self, other: Merged) -> None:
        """Add the modules that are not there yet; no loop over all of them."""
        mine = self.modules
        self.modules = {**mine, **other.modules, **mine}
        self.units += [unit for unit in other.units if unit not in self.units]


def own(unit: Unit) -> Merged:
    """Return what a file holds by itself."""
    if unit.document is None:
        return Merged()
    sections = dict(unit.document.sections)
    owners = {name: [unit] for name in sections}
    return Merged(dict(unit.document.modules), [unit], sections, owners)


def _modules(unit: Unit) -> Mapping[str, ModuleConfig]:
    return unit.document.modules if unit.document is not None else {}


def add_import(into: Merged, other: Merged) -> None:
    """Add what an imported file holds, where it is not there yet."""
    into.take_modules(other)
    for name, value in other.sections.items():
        if name not in into.sections:
            into.sections[name] = value
        else:
            into.sections[name] = _filled(name, into.sections[name], value)
        _own(into, other, name)


def _own(into: Merged, other: Merged, name: str) -> None:
    owners = into.owners.setdefault(name, [])
    owners.extend(unit for unit in other.owners[name] if unit not in owners)


def _filled(name: str, mine: Any, theirs: Any) -> Any:
    if not isinstance(mine, Mapping) or not isinstance(theirs, Mapping):
        return mine
    whole = {**theirs, **mine}
    whole = {key: whole[key] for key in (*mine, *(k for k in theirs if k not in mine))}
    if name == "requires":
        for key in mine:
            if isinstance(mine[key], tuple) and isinstance(theirs.get(key), tuple):
                whole[key] = _joined(mine[key], theirs[key])
    return whole


def _joined(mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> tuple[Any, ...]:
    seen = {repr(item) for item in mine}
    return mine + tuple(item for item in theirs if repr(item) not in seen)


def add_workflow(into: Merged, other: Merged) -> Iterator[Fault]:
    """Add what a workflow file holds; yield a fault for each conflict.

    Args:
        into: what the files before it hold.
        other: what this one and its imports hold.
    """
    for name in filter(into.modules.__contains__, other.modules):
        first, second = into.home(name), other.home(name)
        if first and second and first.real != second.real:
            yield _conflict("module", ("modules", name), first, second)
    into.take_modules(other)
    for name, value in other.sections.items():
        owners = list(into.owners.get(name, ()))
        if name not in into.sections:
            into.sections[name] = value
        elif owners != other.owners[name]:
            mine = into.sections[name]
            merged, faults = _together((name,), mine, value, owners, other.owners[name])
            into.sections[name] = merged
            yield from faults
        _own(into, other, name)


def _together(
    path: Path, mine: Any, theirs: Any, before: list[Unit], after: list[Unit]
) -> tuple[Any, list[Fault]]:
    """Merge two values that two workflow files have under one path."""
    named = len(path) == 2 and path[0] in _NAMED  # noqa: PLR2004  # section and name
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping) and not named:
        whole, faults = dict(mine), []
        for key, value in theirs.items():
            if key in whole:
                below = (*path, key)
                whole[key], more = _together(below, whole[key], value, before, after)
                faults += more
            else:
                whole[key] = value
        return whole, faults
    if isinstance(mine, tuple) and isinstance(theirs, tuple) and not named:
        return _joined(mine, theirs), []
    if not named and repr(mine) == repr(theirs):
        return mine, []
    # Who holds it is looked up in the text, which costs a parse.
    first, second = _holder(path, before), _holder(path, after)
    if first.real == second.real:
        return mine, []
    what = str(path[0]).removesuffix("s") if named else "value"
    return mine, [_conflict(what, path, first, second)]


def _holder(path: Path, units: list[Unit]) -> Unit:
    exact = (unit for unit in units if unit.exact(path, least=len(path)))
    return next(exact, units[0])


def _conflict(what: str, path: Path, first: Unit, second: Unit) -> Fault:
    name = path[-1] if what != "value" else dotted(path)
    return Fault(
        Code.E_MERGE_CONFLICT,
        f"{what} `{name}` is in both {first.name} and {second.name}",
        path,
        second.place(path),
        found=f"first at {first.place(path)}",
        hint="rename one of them, or move it to a file that both import",
    )
