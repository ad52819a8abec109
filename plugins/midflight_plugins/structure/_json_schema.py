"""Configuration that a JSON Schema describes: it arrives as the frozen mapping.

Nothing is added to it: a `default` is a note for readers, as the standard says.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from midflight import hookimpl
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    MissingDependencyError,
    Path,
)

if TYPE_CHECKING:
    from midflight_plugins.schema import Described

_WHAT = "configuration that a JSON Schema describes"


@hookimpl
def structure(config: Mapping[str, Any], type: Any) -> Any:  # noqa: A002  # the hookspec's name
    """Check a configuration against a JSON Schema.

    Args:
        config: the configuration, as plain values.
        type: the schema.

    Returns:
        `config` itself, or `None` if `type` is no mapping.

    Raises:
        InvalidConfigurationError: with every fault, paths relative to `config`;
            `E_DEPENDENCY` if jsonschema is not installed.
        jsonschema.SchemaError: if the schema is none.
    """
    if not isinstance(type, Mapping):
        return None
    try:
        import jsonschema  # noqa: F401  # only asked whether it is there
    except ImportError:
        missing = str(MissingDependencyError(_WHAT, "jsonschema", "jsonschema"))
        fault = Fault(Code.E_DEPENDENCY, missing)
        raise InvalidConfigurationError(fault) from None
    from midflight_plugins.schema import Described

    errors = _validator(_Schema(type)).iter_errors(config)
    faults = {
        (fault.path, fault.code): fault
        for error in errors
        for fault in _told(error, (), Described.by(type))
    }
    if faults:
        raise InvalidConfigurationError(faults.values())
    return config


@hookimpl
def json_schema(type: Any) -> Mapping[str, Any] | None:  # noqa: A002  # the hookspec's name
    """Return a schema as it is, what is marked as secret made `writeOnly`.

    Args:
        type: the schema.

    Returns:
        the schema, or `None` if `type` is no mapping.
    """
    return _hidden(type) if isinstance(type, Mapping) else None


def _hidden(part: Any) -> Any:
    if isinstance(part, Mapping):
        done = {key: _hidden(item) for key, item in part.items()}
        secret = part.get("x-midflight") == "secret"
        return done | ({"writeOnly": True} if secret else {})
    return list(map(_hidden, part)) if isinstance(part, list | tuple) else part


class _Schema:
    """A schema that can be a key: it equals itself alone."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Schema) and self.schema is other.schema

    def __hash__(self) -> int:
        return id(self.schema)


@functools.lru_cache(64)
def _validator(held: _Schema) -> Any:
    """Return what checks our frozen values; `1.0` is no integer to it.

    It knows the specifications, and fetches nothing that a `$ref` names.
    """
    import jsonschema

    schema = held.schema
    kind = jsonschema.validators.validator_for(
        schema, default=jsonschema.Draft202012Validator
    )
    kind.check_schema(schema)
    checks = {
        "array": lambda _, value: isinstance(value, list | tuple),
        "integer": lambda _, value: type(value) is int,
    }
    types = kind.TYPE_CHECKER.redefine_many(checks)
    words = {"uniqueItems": _unique, "propertyNames": _names}
    extended = jsonschema.validators.extend(kind, words, type_checker=types)
    return extended(schema, registry=jsonschema.validators.SPECIFICATIONS)


def _unique(_: Any, wanted: Any, value: Any, __: Any) -> Iterator[Any]:
    """Compare items by their text: jsonschema compares each with each."""
    import json

    import jsonschema

    if wanted is True and isinstance(value, list | tuple):
        texts = {json.dumps(each, sort_keys=True, default=str) for each in value}
        if len(texts) < len(value):
            yield jsonschema.ValidationError("an item stands there twice")


def _names(checks: Any, schema: Any, value: Any, __: Any) -> Iterator[Any]:
    """Tell of a key that may not be called so, at the mapping that has it."""
    import jsonschema

    for key in value if isinstance(value, Mapping) else ():
        if any(checks.descend(instance=key, schema=schema)):
            yield jsonschema.ValidationError(f"`{key}` is no name for a key")


def _told(error: Any, above: Path, said: Described) -> Iterator[Fault]:
    """Yield what jsonschema found; of several ways to be right the nearest."""
    from midflight_plugins.structure._told import missing_at, unknown_at, wrong_at

    path, value, word = (*above, *error.path), error.instance, error.validator
    if word == "required":
        for key in error.validator_value:
            if key not in value:
                yield missing_at(said, (*path, key))
    elif word in {"additionalProperties", "unevaluatedProperties"}:
        known = said.at(path).keys
        for key in value:
            if key not in known and repr(key) in error.message:
                yield unknown_at(said, (*path, key))
    elif error.context and (nearest := _nearest(error)):
        for each in nearest:
            yield from _told(each, path, said)
    else:
        shown = error.message.replace(repr(value), "value", 1)
        if isinstance(value, list | tuple) and "tems" in word:  # it shows some
            shown = shown if word == "uniqueItems" else f"its items break `{word}`"
        yield wrong_at(said, path, value, shown)


def _nearest(error: Any) -> list[Any]:
    """Return the errors of the member of `anyOf` that the value resembles most."""
    members: dict[Any, list[Any]] = {}
    for each in error.context:
        members.setdefault(each.schema_path[0], []).append(each)
    about_keys = ("required", "additionalProperties")
    deep = [
        member
        for member in members.values()
        if any(each.path or each.validator in about_keys for each in member)
    ]
    return min(deep, key=len) if deep else []
