"""Refuse what a parser has read although it is nested too deeply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midflight.errors import Code, Fault, Path, Place
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._text import Spot


def too_deep(value: Any, most: int) -> Path | None:
    """Return the path of a mapping or list below so many others, or `None`.

    The value at the top counts as the first level, as in YAML.
    """
    level: list[tuple[Path, Any]] = [((), value)]
    for _ in range(most):
        level = [
            ((*path, key), inner)
            for path, each in level
            for key, inner in (
                each.items() if isinstance(each, dict) else enumerate(each)
            )
            if isinstance(inner, dict | list)
        ]
        if not level:
            return None
    return level[0][0]


def depth_fault(
    path: Path, spots: Mapping[Path, Spot], source: str, limits: Limits
) -> Fault:
    """Return the fault of what is nested too deeply, where the path it names begins."""
    path = path[:8]
    known = path
    while known and known not in spots:
        known = known[:-1]
    msg = f"nested deeper than {limits.max_depth} levels"
    place = Place(source, *spots.get(known, (1, 1)))
    return Fault(Code.E_DEPTH, msg, path, place)
