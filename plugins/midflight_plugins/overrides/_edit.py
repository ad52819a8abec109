"""Changes of one value in a document, as pure functions of plain mappings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from midflight import Document, Fault, Secret
from midflight.errors import Code, InvalidConfigurationError, dotted, shown
from midflight_plugins import api

Keys = tuple[str, ...]
Tree = Mapping[str, Any]

_DEEPEST = 64  # as deep as a document may be
_SINGLE = {str, int, float, bool, type(None)}
_RULE = 'keys with dots between them, as in `modules.web.config.port`; quote "a.b"'


def keys_of(path: str | Sequence[str | int]) -> Keys:
    """Return the keys of a path.

    Args:
        path: `modules.web.config.port`, where a key that holds a dot stands in double
            quotes, or the keys themselves.

    Raises:
        InvalidConfigurationError: if it is no path to a value.
    """
    try:
        keys = api.keys_of(path) if isinstance(path, str) else tuple(path)
    except ValueError:
        raise _no_path(path, listed="[" in str(path)) from None
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise _no_path(path, listed=any(isinstance(key, int) for key in keys))
    if len(keys) > _DEEPEST:
        msg = f"the path has {len(keys)} keys, at most {_DEEPEST} are allowed"
        raise InvalidConfigurationError(Fault(Code.E_DEPTH, msg))
    return tuple(map(str, keys))


def _no_path(path: object, *, listed: bool = False) -> InvalidConfigurationError:
    hint = "a list is replaced whole: set the list itself" if listed else ""
    msg = "no path to a value"
    return InvalidConfigurationError(
        Fault(Code.E_VALUE, msg, found=shown(path), expected=_RULE, hint=hint)
    )


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


def with_value(tree: Tree, keys: Keys, value: Any) -> dict[str, Any]:
    """Return a tree with one value set, and what leads to it.

    Raises:
        InvalidConfigurationError: if what stands on the way is no mapping.
    """
    return _with_value(tree, keys, value, ())


def _with_value(tree: Tree, keys: Keys, value: Any, above: Keys) -> dict[str, Any]:
    key, rest = keys[0], keys[1:]
    if not rest:
        if _holds_secret(value):
            raise _in_clear((*above, key))
        return {**tree, key: value}
    below, here = tree.get(key, {}), (*above, key)
    if not isinstance(below, Mapping):
        fault = Fault(
            Code.E_TYPE,
            "an override stands on the way to this one",
            here,
            found=shown(below),
            expected="a mapping",
            hint=f"unset `{dotted(here)}` first",
        )
        raise InvalidConfigurationError(fault)
    return {**tree, key: _with_value(below, rest, value, here)}


def _holds_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_secret, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_secret, value))
    return isinstance(value, Secret)


def _in_clear(keys: Keys) -> InvalidConfigurationError:
    msg, hint = "a secret is not stored in clear", "set a reference, as in `${file:…}`"
    return InvalidConfigurationError(Fault(Code.E_SECRET, msg, keys, hint=hint))


def without(tree: Tree, keys: Keys) -> dict[str, Any]:
    """Return a tree without one value, nor the mappings that only led to it.

    Raises:
        KeyError: if it is not there.
    """
    key, rest = keys[0], keys[1:]
    left = {name: each for name, each in tree.items() if name != key}
    if not rest:
        if key not in tree:
            raise KeyError(key)
        return left
    below = tree[key]
    if not isinstance(below, Mapping):
        raise KeyError(rest[0])
    smaller = without(below, rest)
    return {**tree, key: smaller} if smaller else left


def value_at(tree: Tree, keys: Keys) -> Any:
    """Return what stands at a path.

    Raises:
        KeyError: if nothing does.
    """
    value: Any = tree
    for key in keys:
        if not isinstance(value, Mapping):
            raise KeyError(key)
        value = value[key]
    return value


def leaves(tree: Tree, above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield each value that is set, with its path; a list is one value."""
    for key, value in tree.items():
        here = (*above, key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, here)
        else:
            yield here, value


def differing(
    old: Tree, new: Tree, absent: Any, above: Keys = ()
) -> Iterator[tuple[Keys, Any]]:
    """Yield each value that differs between two trees, with what the new one has there.

    What stands beside a mark of layers is one value with it.

    Args:
        old: the tree before.
        new: the tree after; what it shares with the old one is not looked at.
        absent: stands for what the new tree does not have.
        above: the keys that lead to both.
    """
    for key in dict.fromkeys((*old, *new)):
        before, after, here = old.get(key, absent), new.get(key, absent), (*above, key)
        if before is after:
            continue
        below = [each if _is_plain(each) else {} for each in (before, after)]
        fits = all(each is absent or _is_plain(each) for each in (before, after))
        if fits and any(below):
            yield from differing(below[0], below[1], absent, here)
        elif before is absent or after is absent or not alike(before, after):
            yield here, after


def _is_plain(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and "$patch" not in value


def alike(one: Any, other: Any) -> bool:
    """Tell whether two values are equal, in type as well."""
    if {type(one), type(other)} <= _SINGLE:
        differ = isinstance(one, float) and repr(one) != repr(other)  # -0.0 and 0.0
        return type(one) is type(other) and one == other and not differ
    both = ({"value": each} for each in (one, other))
    first, second = (Document.from_mapping(each).digest for each in both)
    return first == second


def named(keys: Keys) -> str:
    """Name a path in a message."""
    return f"`{dotted(keys)}`"
