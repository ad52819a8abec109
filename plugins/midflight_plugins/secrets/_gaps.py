"""What stands for a reference that could not be resolved, so that the rest is judged.

A document with such gaps is only looked at for further faults; nothing runs with it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs

from midflight import Document, Fault, ModuleConfig, Secret
from midflight.errors import Path

# A text of its own, known by what it is: a configuration cannot hold it.
_TEXT = f"unresolved {os.urandom(16).hex()}"
GAP = Secret(_TEXT)


def partial_of(document: Document, gaps: Collection[Path]) -> Document:
    """Return a document with `GAP` at these paths, and all else as it was."""
    modules = {path[1] for path in gaps if path[0] == "modules"}
    sections = {path[0] for path in gaps if path[0] != "modules"}
    changed = {
        name: _module(module, gaps)
        for name, module in document.modules.items()
        if name in modules
    }
    others = {
        name: _with_gaps(value, (name,), gaps)
        for name, value in document.sections.items()
        if name in sections
    }
    kind: Any = type(document.modules)  # the core's frozen mapping, made like a dict
    of_rest: Any = type(document.sections)
    return Document(
        kind({**document.modules, **changed}), of_rest({**document.sections, **others})
    )


def gaps_in(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of each gap in what `structure` is given."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from gaps_in(item, (*path, key))
    elif isinstance(value, list | tuple):
        for at, item in enumerate(value):
            yield from gaps_in(item, (*path, at))
    elif value is GAP or value is _TEXT:
        yield path


def is_due_to(fault: Fault, gaps: Collection[Path]) -> bool:
    """Tell whether a fault may be that of a gap: at it, below it or around it."""
    path = fault.path
    return any(path[: len(gap)] == gap[: len(path)] for gap in gaps)


def _module(module: ModuleConfig, gaps: Collection[Path]) -> ModuleConfig:
    path = ("modules", module.name)
    config = _with_gaps(module.config, (*path, "config"), gaps)
    extra = _with_gaps(module.extra, path, gaps)
    return attrs.evolve(module, config=config, extra=extra)


def _with_gaps(value: Any, path: Path, gaps: Collection[Path]) -> Any:
    if path in gaps:
        return GAP
    if isinstance(value, Mapping):
        kind: Any = type(value)
        items = value.items()
        return kind({key: _with_gaps(each, (*path, key), gaps) for key, each in items})
    if isinstance(value, tuple):
        return tuple(
            _with_gaps(each, (*path, at), gaps) for at, each in enumerate(value)
        )
    return value
