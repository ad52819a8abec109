"""`TypedDict`: a mapping whose keys have types; the result is a plain dict."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from midflight.errors import Fault, InvalidConfigurationError
from midflight_plugins.structure._scalars import describe, refuse
from midflight_plugins.structure._secret import holds_secret, untold
from midflight_plugins.structure._told import missing, unknown

if TYPE_CHECKING:
    from cattrs import Converter


def is_typed_dict(kind: Any) -> bool:
    """Tell whether a type is a `TypedDict`, of `typing` or `typing_extensions`."""
    return (
        isinstance(kind, type)
        and issubclass(kind, dict)
        and hasattr(kind, "__required_keys__")
    )


def keys_of(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return the type of each key, and whether it has to be there.

    Deferred annotations hide `Required` and `NotRequired` from the class itself.
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        key: _key(hint, key in kind.__required_keys__) for key, hint in hints.items()
    }


def _key(hint: Any, is_required: bool) -> tuple[Any, bool]:
    words = {"Required": True, "NotRequired": False, "ReadOnly": None}
    while (word := getattr(typing.get_origin(hint), "_name", None)) in words:
        said = words[word]
        is_required = is_required if said is None else said
        hint = typing.get_args(hint)[0]
    return hint, is_required


def typed_dict_hook(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    """Make the function that takes the keys of a `TypedDict`."""
    keys = keys_of(typing.get_origin(kind) or kind)

    def structure(value: Any, _kind: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise refuse(value, "a mapping")
        done: dict[str, Any] = {}
        faults: list[Fault] = [unknown(key, keys) for key in value if key not in keys]
        for key, (hint, is_required) in keys.items():
            if key not in value:
                faults += [missing(key, describe(hint))] if is_required else []
                continue
            try:
                done[key] = converter.structure(value[key], hint)
            except InvalidConfigurationError as exc:
                hides = holds_secret(hint)
                told = (untold(each) if hides else each for each in exc.faults)
                faults += [fault.under((key,)) for fault in told]
        if faults:
            raise InvalidConfigurationError(faults)
        return done

    return structure
