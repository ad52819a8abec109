"""Lay values over each other: pure functions of frozen values.

What comes out may still hold marks, so that what was laid together can be laid over
something else: `laid(a, laid(b, c))` is `laid(laid(a, b), c)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from midflight import ModuleConfig
from midflight.errors import Path
from midflight_plugins.composite._marks import (
    ABSENT,
    DELETE,
    PATCH,
    VALUE,
    frozen,
    mark_of,
    replacing,
)

WHOLLY = -1
Clash = Callable[[Path], None]
"""Takes the path of two values whose shapes do not fit over each other."""


def laid(lower: Any, upper: Any, path: Path, depth: int, clash: Clash) -> Any:
    """Return what two layers say of one value together; neither is changed.

    Args:
        lower: what is below, `ABSENT` if nothing.
        upper: what a layer lays over it.
        path: where both stand.
        depth: levels of mappings to merge key by key; `WHOLLY` for all of them. Below,
            the upper one is taken as it is.
        clash: told of a shape laid over another; the lower one then stays.
    """
    if lower is ABSENT or lower is upper or mark_of(upper):
        return upper
    if mark_of(lower):
        if lower[PATCH] == DELETE:
            return replacing(upper)
        if VALUE in lower:
            return replacing(laid(lower[VALUE], upper, path, depth, clash))
    if depth == 0:
        return replacing(upper) if mark_of(lower) else upper
    if isinstance(lower, dict) and isinstance(upper, dict):
        whole = dict(lower)
        for key, item in upper.items():
            below = whole.get(key, ABSENT)
            whole[key] = laid(below, item, (*path, key), depth - 1, clash)
        return frozen(whole)
    if depth < 0 and not _fits(lower, upper):
        clash(path)
        return lower
    return upper


def _fits(lower: Any, upper: Any) -> bool:
    """Tell whether a value that is no mapping, or lies over none, has its place."""
    if lower is None:
        return True
    return not isinstance(lower, dict) and (
        upper is None or shape(lower) == shape(upper)
    )


def shape(value: Any) -> str:
    """Return what errors call the shape of a value."""
    if isinstance(value, dict):
        if mark_of(value) and VALUE in value:
            return shape(value[VALUE])
        return "a mapping"
    if value is None:
        return "null"
    return "a list" if isinstance(value, tuple) else "a single value"


def laid_module(
    lower: ModuleConfig | None, upper: ModuleConfig, depth: int, clash: Clash
) -> ModuleConfig:
    """Return what two layers say of one module together.

    An entry may be partial: without `type`, or without `dependsOn`, it leaves that to
    the layers below.
    """
    if lower is None or lower is upper or mark_of(upper.extra):
        return upper
    mark = mark_of(lower.extra)
    if mark == DELETE or (depth == 0 and mark):
        return attrs.evolve(upper, extra=replacing(upper.extra))
    if depth == 0:
        return upper
    path = ("modules", upper.name)
    config = (*path, "config")
    return ModuleConfig(
        upper.name,
        upper.type or lower.type,
        laid(lower.config, upper.config, config, depth, clash),
        upper.depends_on or lower.depends_on,
        laid(lower.extra, upper.extra, path, depth, clash),
    )
