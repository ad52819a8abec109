"""Classes: cattrs builds them, and every fault of every field is gathered."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight.errors import Code, Fault, InvalidConfigurationError
from midflight_plugins.structure._fields import has_secret, is_class, resolved
from midflight_plugins.structure._scalars import choice, describe, refuse
from midflight_plugins.structure._secret import holds_secret, says_secret, untold
from midflight_plugins.structure._told import missing, unknown

if TYPE_CHECKING:
    from cattrs import Converter
    from cattrs.errors import ClassValidationError

_LONGEST = 160


def class_hook(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    """Make the function that builds a class from a mapping."""
    from cattrs.errors import ClassValidationError
    from cattrs.gen import make_dict_structure_fn

    make = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=True, _cattrs_use_alias=True
    )

    def structure(value: Any, _kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise refuse(value, "a mapping")
        try:
            return make(value, kind)
        except ClassValidationError as exc:
            faults = _faults(exc, kind, value, converter)
            raise InvalidConfigurationError(faults) from None

    return structure


def tagged(members: list[Any]) -> tuple[str, dict[Any, Any]]:
    """Find the `Literal` field whose values tell the classes of a union apart.

    Returns:
        the field's name and the class for each value; an empty name if there is none.
    """
    if len(members) > 1 and all(map(is_class, members)):
        for name in (_key(field) for field in _fields(members[0])):
            tags = [_tags(member, name) for member in members]
            values = [value for group in tags for value in group]
            if all(tags) and len(set(values)) == len(values):
                pairs = zip(members, tags, strict=True)
                return name, {tag: member for member, group in pairs for tag in group}
    return "", {}


def choose(value: Mapping[str, Any], tag: str, by_tag: Mapping[Any, Any]) -> Any:
    """Return the class of a tagged union that a mapping names.

    Raises:
        InvalidConfigurationError: the tag is missing or unknown.
    """
    literal: Any = typing.Literal
    tags = literal[tuple(by_tag)]
    if tag not in value:
        raise InvalidConfigurationError(missing(tag, describe(tags)))
    try:
        return by_tag[choice(value[tag], tags)]
    except InvalidConfigurationError as exc:
        faults = [fault.under((tag,)) for fault in exc.faults]
        raise InvalidConfigurationError(faults) from None


def _tags(member: Any, name: str) -> tuple[Any, ...]:
    hint = typing.get_type_hints(member).get(name)
    return typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()


def _faults(
    group: ClassValidationError,
    kind: Any,
    config: Mapping[str, Any],
    converter: Converter,
) -> Iterator[Fault]:
    """Yield the faults of one class, its fields' and its validators'."""
    from cattrs.errors import ForbiddenExtraKeysError

    fields = {field.name: field for field in _fields(kind)}
    hints = resolved(kind)
    noted, others = group.group_exceptions()
    for exc, note in noted:
        field = fields[note.name]
        key = _key(field)
        if key not in config:
            yield missing(key, describe(note.type))
        else:
            yield from _of_field(exc, field, hints.get(note.name, note.type))
    while_making = []
    for exc in others:
        if isinstance(exc, ForbiddenExtraKeysError):
            yield from _unknown(exc, fields)
        else:
            while_making.append(exc)
    hints = {name: hints.get(name, field.type) for name, field in fields.items()}
    for _, note in noted:  # twice at each level would be 2 ** depth times
        del hints[note.name]
    checked = list(_checked(kind, config, hints, converter))
    yield from checked
    if while_making and not checked:
        yield from _told(while_making[0])


def _unknown(exc: Any, fields: Mapping[str, Any]) -> Iterator[Fault]:
    known = [_key(field) for field in fields.values() if field.init]
    for word in sorted(exc.extra_fields):
        yield unknown(word, known)


def _checked(
    kind: Any, config: Mapping[str, Any], hints: Mapping[str, Any], converter: Converter
) -> Iterator[Fault]:
    """Run each attrs converter and validator by itself, since attrs stops at one.

    They see an object that holds only the fields whose values have the right type; a
    validator that needs more has nothing to say yet.
    """
    cls = typing.get_origin(kind) or kind
    if not attrs.has(cls):
        return
    partial = object.__new__(cls)
    good = []
    for field in attrs.fields(cls):
        if field.name not in hints:
            continue
        try:
            value = _value(field, hints[field.name], config, converter)
        except Exception as exc:  # noqa: BLE001  # a user's converter raises what it likes
            yield from _of_field(exc, field, hints[field.name])
            continue
        if value is not attrs.NOTHING:
            object.__setattr__(partial, field.name, value)
            good.append((field, value))
    for field, value in good:
        if field.validator is None:
            continue
        try:
            field.validator(partial, field, value)
        except Exception as exc:  # noqa: BLE001  # as above
            if isinstance(exc, AttributeError) and exc.obj is partial:
                continue
            yield from _of_field(exc, field, hints[field.name])


def _value(
    field: Any, kind: Any, config: Mapping[str, Any], converter: Converter
) -> Any:
    """Return a field's value as `__init__` would set it, or NOTHING if unknown."""
    key = _key(field)
    if not field.init or key not in config:
        return _default(field)
    value = config[key]
    if kind is not None and not isinstance(kind, typing.TypeVar):
        value = converter.structure(value, kind)
    if field.converter is None:
        return value
    if isinstance(field.converter, attrs.Converter):
        return attrs.NOTHING
    return field.converter(value)


def _default(field: Any) -> Any:
    factory: Any = attrs.Factory
    if not isinstance(field.default, factory):
        return field.default
    return attrs.NOTHING if field.default.takes_self else field.default.factory()


def _of_field(exc: Exception, field: Any, kind: Any) -> Iterator[Fault]:
    """Yield the faults behind an exception; those of a hidden field show no value.

    Hidden are fields with `repr=False`, those with a `Secret` in their type, and
    those that are marked as secret.
    """
    hidden = not field.repr or says_secret(field.metadata) or holds_secret(kind)
    for fault in _told(exc):
        told = untold(fault) if hidden else fault
        if not fault.path and fault.found and has_secret(kind):
            told = untold(fault)
        yield told.under((_key(field),))


def _told(exc: Exception) -> Iterator[Fault]:
    from cattrs.errors import StructureHandlerNotFoundError

    if isinstance(exc, StructureHandlerNotFoundError):
        raise exc
    if isinstance(exc, InvalidConfigurationError):
        yield from exc.faults
        return
    # attrs puts the attribute, the type and the value behind the message
    first = exc.args[0] if exc.args else None
    text = first if isinstance(first, str) else str(exc)
    yield Fault(Code.E_VALUE, (text or type(exc).__name__)[:_LONGEST])


def _fields(kind: Any) -> tuple[Any, ...]:
    cls = typing.get_origin(kind) or kind
    if attrs.has(cls):
        return tuple(attrs.fields(cls))
    return dataclasses.fields(cls)


def _key(field: Any) -> str:
    """Return the name of the `__init__` argument, which is the configuration's key."""
    return str(getattr(field, "alias", None) or field.name)
