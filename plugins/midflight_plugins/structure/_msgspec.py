"""Typed configuration for `msgspec.Struct`.

Values are taken as msgspec's `convert` does strictly. It stops at the first fault; here
each part is converted by itself then, so that all are found.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from midflight import Secret, hookimpl
from midflight.errors import Code, Fault, InvalidConfigurationError, Path

if TYPE_CHECKING:
    from midflight_plugins.schema import Described

_Part = tuple[Path, Any, Any]  # where, what stands there, of which type


def is_struct(kind: Any) -> bool:
    """Tell whether a type is a `Struct`; msgspec is not imported to find out."""
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and hasattr(origin, "__struct_fields__")


@hookimpl
def structure(config: Mapping[str, Any], type: Any) -> Any:  # noqa: A002  # the hookspec's name
    """Build an instance of a `Struct`, strictly.

    Args:
        config: the configuration, as plain values.
        type: the class.

    Returns:
        the instance, or `None` if `type` is no `Struct`.

    Raises:
        InvalidConfigurationError: with every fault, paths relative to `config`.
    """
    if not is_struct(type):
        return None
    from msgspec import ValidationError

    said = _said(type)
    try:
        made, faults = _converted(config, type), list(_unknown((), config, type, said))
    except ValidationError:
        made, faults = None, list(_faults((), config, type, said))
    if faults:
        raise InvalidConfigurationError(faults)
    return made


@hookimpl
def json_schema(type: Any) -> Mapping[str, Any] | None:  # noqa: A002  # the hookspec's name
    """Describe a `Struct` as JSON Schema.

    Args:
        type: the class.

    Returns:
        the schema (2020-12), closed to unknown keys as structuring is; `None` if
        `type` is no `Struct`.
    """
    if not is_struct(type):
        return None
    import datetime
    import decimal
    import uuid

    from midflight_plugins.structure._schema import schema_of

    text = {"type": "string"}
    return schema_of(
        type,
        (
            (datetime.timedelta, {**text, "format": "duration"}),
            (bytes, {**text, "contentEncoding": "base64"}),
            (uuid.UUID, {**text, "format": "uuid"}),
            (decimal.Decimal, {"type": ["string", "number"]}),
        ),
    )


@functools.lru_cache(256)
def _said(kind: Any) -> Described:
    from midflight_plugins.schema import Described

    return Described.by(json_schema(kind) or {})


def _converted(value: Any, kind: Any) -> Any:
    import msgspec

    return msgspec.convert(value, kind, strict=True, dec_hook=_own)


def _own(kind: type, value: Any) -> Any:
    """Take a path or a secret, which msgspec does not know."""
    import pathlib

    if isinstance(value, kind):
        return value
    if issubclass(kind, pathlib.PurePath | Secret) and isinstance(value, str):
        return kind(value)
    msg = "expected a string"
    raise TypeError(msg)


def _unknown(path: Path, value: Any, kind: Any, said: Described) -> Iterator[Fault]:
    """Yield the unknown keys of a value, which msgspec took otherwise."""
    kind = _member(value, kind)
    yield from _of_keys(path, value, kind, said)
    for where, item, each in _parts(path, value, kind):
        if isinstance(item, Mapping | list | tuple):
            yield from _unknown(where, item, each, said)


def _faults(path: Path, value: Any, kind: Any, said: Described) -> Iterator[Fault]:
    """Yield the faults of a value: those of its parts, else its own."""
    from msgspec import ValidationError

    from midflight_plugins.structure._told import wrong_at

    kind = _member(value, kind)
    found = list(_of_keys(path, value, kind, said))
    for where, item, each in _parts(path, value, kind):
        found += _faults(where, item, each, said)
    if not found:
        try:
            _converted(value, kind)
        except ValidationError as exc:
            why = str(exc).partition(" - at `")[0]
            found = [wrong_at(said, path, value, why[:1].lower() + why[1:])]
    yield from found


def _of_keys(path: Path, value: Any, kind: Any, said: Described) -> Iterator[Fault]:
    """Yield the faults of the keys of a `Struct`: missing and unknown ones."""
    from midflight_plugins.structure._told import missing_at, unknown_at, wrong_at

    if not isinstance(value, Mapping):
        return
    if word := _tag_of(kind):
        if word not in value:
            yield missing_at(said, (*path, word))
        else:
            yield wrong_at(said, (*path, word), value[word], "")
    if not is_struct(kind):
        return
    tag = _config(kind).tag_field
    for key, (_, is_required) in _fields(kind).items():
        if is_required and key not in value:
            yield missing_at(said, (*path, key))
    for key in value:
        if key not in _fields(kind) and key != tag:
            yield unknown_at(said, (*path, key))
    if tag and value.get(tag, _config(kind).tag) != _config(kind).tag:
        words = repr(_config(kind).tag)
        msg = "value is not one of those allowed"
        yield Fault(Code.E_ENUM, msg, (*path, tag), expected=words)


def _parts(path: Path, value: Any, kind: Any) -> Iterator[_Part]:
    """Yield what a value is made of, as far as its type tells."""
    kind = _bare(kind)
    origin, args = typing.get_origin(kind) or kind, typing.get_args(kind)
    if isinstance(value, Mapping):
        if is_struct(kind):
            known = _fields(kind)
            for key in value:
                if key in known:
                    yield (*path, key), value[key], known[key][0]
        elif origin in {dict, Mapping} and args:
            for key, item in value.items():
                yield (*path, key), item, args[1]
    elif isinstance(value, list | tuple) and args and origin is not typing.Union:
        fixed = origin is tuple and args[-1] is not Ellipsis
        each = args if fixed else [args[0]] * len(value)
        if origin in {list, tuple, set, frozenset} and len(each) == len(value):
            for at, item in enumerate(value):
                yield (*path, at), item, each[at]


def _member(value: Any, kind: Any) -> Any:
    """Return the member of a union that a value is meant for, else the type itself."""
    import types

    inner = _bare(kind)
    kind = inner if is_struct(inner) else kind
    if typing.get_origin(kind) not in {typing.Union, types.UnionType}:
        return kind
    others = [each for each in typing.get_args(kind) if each is not types.NoneType]
    if len(others) == 1 and value is not None:
        return others[0]
    structs = [each for each in others if is_struct(each)]
    if isinstance(value, Mapping):
        for each in structs:
            tag = _config(each).tag_field
            if tag and value.get(tag) == _config(each).tag:
                return each
    return kind


def _tag_of(kind: Any) -> str:
    """Return the key that tells the `Struct`s of a union apart, if they have one."""
    members = typing.get_args(kind) if not is_struct(kind) else ()
    tags = {_config(each).tag_field for each in members if is_struct(each)}
    return (tags.pop() or "") if len(tags) == 1 else ""


def _bare(kind: Any) -> Any:
    """Return a type without what is annotated to it."""
    annotated = typing.get_origin(kind) is typing.Annotated
    return typing.get_args(kind)[0] if annotated else kind


def _config(kind: Any) -> Any:
    return (typing.get_origin(kind) or kind).__struct_config__


def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return type and need of each key of a `Struct`."""
    import msgspec

    return {
        each.encode_name: (each.type, each.required)
        for each in msgspec.structs.fields(kind)
    }
