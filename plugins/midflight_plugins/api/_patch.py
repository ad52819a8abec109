"""Writes into a layer what makes a value stand in the configuration, whatever is below.

Layers are merged: mappings key by key, and what is left out says nothing. `$patch`
removes what lower layers set, or replaces it where its shape is another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PATCH, VALUE = "$patch", "$value"
DELETE, REPLACE = "delete", "replace"
Keys = tuple[str, ...]
Tree = Mapping[str, Any]


class _Absent:
    """Stands for what is not there."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Any = _Absent()


def merged(patch: Tree, now: Any, above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield each value that a merge patch (RFC 7396) sets, `ABSENT` for one it removes.

    Args:
        patch: what the patch says.
        now: what is there.
        above: the keys that lead to both.
    """
    for key, value in patch.items():
        below = now.get(key, ABSENT) if isinstance(now, Mapping) else ABSENT
        here = (*above, key)
        if value is None:
            yield here, ABSENT
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            yield from merged(value, below, here)
        else:
            yield here, _without_nulls(value)


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept = {key: each for key, each in value.items() if each is not None}
    return {key: _without_nulls(each) for key, each in kept.items()}


def placed(
    stored: Tree, now: Any, keys: Keys, value: Any, *, alone: bool = False
) -> dict[str, Any]:
    """Return a layer's tree in which one value is set so that it is in force.

    Args:
        stored: what the layer has; it lies above all others.
        now: what is in force at the same place.
        keys: where the value goes.
        value: plain data, or `ABSENT` to remove what is there.
        alone: whether nothing of the lower layers counts there.
    """
    if stored.get(PATCH) == DELETE:
        stored = {PATCH: REPLACE}
    alone = alone or stored.get(PATCH) == REPLACE
    key, rest = keys[0], keys[1:]
    below = now.get(key, ABSENT) if isinstance(now, Mapping) else ABSENT
    if not rest:
        return _with_leaf(stored, key, below, value, alone=alone)
    if isinstance(below, Mapping):
        mine = stored.get(key)
        inner = mine if isinstance(mine, Mapping) else {}
        return {**stored, key: placed(inner, below, rest, value, alone=alone)}
    if value is ABSENT:
        return dict(stored)
    return {**stored, key: whole(nested(rest, value))}


def _with_leaf(
    stored: Tree, key: str, now: Any, value: Any, *, alone: bool
) -> dict[str, Any]:
    rest = {name: each for name, each in stored.items() if name != key}
    if value is ABSENT:
        return rest if alone else {**rest, key: {PATCH: DELETE}}
    mine = stored.get(key)
    marked = isinstance(mine, Mapping) and PATCH in mine
    same = not isinstance(value, Mapping) and _shape(now) == _shape(value)
    fits = alone or (not marked and (same or now is ABSENT))
    return {**rest, key: value if fits else whole(value)}


def whole(value: Any) -> Any:
    """Return a value in the form that replaces whatever is below."""
    body = dict(value) if isinstance(value, Mapping) else {VALUE: value}
    return {PATCH: REPLACE, **body}


def nested(keys: Keys, value: Any) -> Any:
    """Return a value with the mappings that lead to it."""
    for key in reversed(keys):
        value = {key: value}
    return value


def _shape(value: Any) -> str:
    if isinstance(value, Mapping):
        return "mapping"
    return "list" if isinstance(value, list | tuple) else "single"
