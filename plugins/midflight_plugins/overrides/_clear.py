"""Which values the plugins take for secrets."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import attrs

from midflight import Runtime, Secret, hookimpl
from midflight.errors import InvalidConfigurationError, MidflightError
from midflight_plugins.overrides._edit import tree_of, value_at, with_value
from midflight_plugins.overrides._planned import UNSET, Edit
from midflight_plugins.overrides._source import OverridesSource


class Secrets:
    """Tells which values are secret: those that the plugins make one of."""

    def __init__(self, source: OverridesSource) -> None:
        self.why = ""
        self._tree: dict[str, Any] | None = None
        try:
            self._tree = tree_of(Runtime(source).read()[0])
        except InvalidConfigurationError as exc:
            self.why = str(exc)

    def shown(self, path: tuple[str, ...], value: Any) -> Any:
        """Return a value as it may be shown."""
        if self._tree is None:
            return "********"
        try:
            return _masked(value, value_at(self._tree, path))
        except KeyError:
            return value


def _masked(value: Any, seen: Any) -> Any:
    """Put a secret in the place of what became one."""
    if isinstance(seen, Secret):
        return str(seen)
    if isinstance(value, Mapping) and isinstance(seen, Mapping):
        return {key: _masked(each, seen.get(key)) for key, each in value.items()}
    if isinstance(value, tuple | list) and isinstance(seen, tuple | list):
        return [_masked(*pair) for pair in zip(value, seen, strict=False)]
    return value


def is_in_clear(edit: Edit) -> bool:
    """Tell whether the plugins make a secret of a text that is no reference to one."""
    if edit.value is UNSET:
        return False
    only = Only(with_value({}, edit.keys, edit.value))
    with contextlib.suppress(MidflightError):  # where a reference leads nowhere
        seen = value_at(tree_of(Runtime(only).read()[0]), edit.keys)
        return _is_in_clear(edit.value, seen)
    return False


def _is_in_clear(value: Any, seen: Any) -> bool:
    if isinstance(value, str) and isinstance(seen, Secret):
        return "${" not in value
    if isinstance(value, Mapping) and isinstance(seen, Mapping):
        return any(_is_in_clear(each, seen.get(key)) for key, each in value.items())
    if isinstance(value, tuple | list) and isinstance(seen, tuple | list):
        return any(_is_in_clear(*pair) for pair in zip(value, seen, strict=False))
    return False


@attrs.frozen
class Only:
    """A source of overrides that are not stored, to see what becomes of them."""

    tree: Mapping[str, Any]
    name: str = "override"

    @hookimpl
    def load(self) -> Mapping[str, Any]:
        """Return it."""
        return self.tree
