"""The keys of a class that configuration may have."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from midflight_plugins.schema import MARK, SECRET
from midflight_plugins.structure._limits import limits_of, marks_of
from midflight_plugins.structure._secret import holds_secret
from midflight_plugins.structure._typed_dict import is_typed_dict, keys_of


@attrs.frozen(eq=False)
class Field:
    """A key of a class.

    Args:
        key: as it stands in a configuration.
        kind: its type.
        marks: what is said of it beside its type.
        limits: what its validators demand.
        is_required: whether it has to be there.
        has_default: whether `default` stands for it if it is not.
        default: that value.
    """

    key: str
    kind: Any
    marks: dict[str, Any] = attrs.field(factory=dict)
    limits: dict[str, Any] = attrs.field(factory=dict)
    is_required: bool = False
    has_default: bool = False
    default: Any = None


def is_struct(kind: Any) -> bool:
    """Tell whether a type is a `Struct`; msgspec is not imported to find out."""
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and hasattr(origin, "__struct_fields__")


def is_class(kind: Any) -> bool:
    """Tell whether a type is an attrs class or a dataclass."""
    return isinstance(kind, type) and (
        attrs.has(kind) or dataclasses.is_dataclass(kind)
    )


def resolved(kind: Any) -> dict[str, Any]:
    """Return the type of each field, with what stands beside it and no open ones."""
    cls = typing.get_origin(kind) or kind
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError:  # of a class within a function: what it was resolved to
        return {}
    given = dict(
        zip(getattr(cls, "__parameters__", ()), typing.get_args(kind), strict=False)
    )
    return {name: filled(hint, given) for name, hint in hints.items()}


def filled(kind: Any, given: Mapping[Any, Any]) -> Any:
    """Return a type with the arguments of a generic class in their places."""
    if isinstance(kind, typing.TypeVar):
        return given.get(kind, kind)
    open_ = () if isinstance(kind, type) else getattr(kind, "__parameters__", ())
    return kind[tuple(given.get(each, each) for each in open_)] if open_ else kind


def has_secret(kind: Any, above: tuple[Any, ...] = ()) -> bool:
    """Tell whether a class, or one within a type, has a field that is secret."""
    cls = typing.get_origin(kind) or kind
    if any(has_secret(each, above) for each in typing.get_args(kind)):
        return True
    if cls in above or not (is_class(cls) or is_typed_dict(cls)):
        return False
    return any(
        field.marks.get(MARK) == SECRET
        or holds_secret(field.kind)
        or has_secret(field.kind, (*above, cls))
        for field in fields_of(cls)
    )


def fields_of(cls: Any) -> Iterator[Field]:
    """Yield the keys of a class that configuration may have."""
    if is_typed_dict(cls):
        for key, (kind, is_required) in keys_of(cls).items():
            yield Field(key, kind, is_required=is_required)
        return
    if is_struct(cls):
        yield from _of_struct(cls)
        return
    hints = resolved(cls)
    for field in attrs.fields(cls) if attrs.has(cls) else dataclasses.fields(cls):
        if field.init:
            kind, marks = hints.get(field.name, field.type), marks_of(field.metadata)
            key = str(getattr(field, "alias", None) or field.name)
            plain, made = _defaults(field)
            limits = limits_of(getattr(field, "validator", None), kind)
            yield Field(
                key, kind, marks, limits, not (plain or made), plain, field.default
            )


def _of_struct(cls: Any) -> Iterator[Field]:
    import msgspec

    config = cls.__struct_config__
    if config.tag_field:
        literal: Any = typing.Literal
        yield Field(config.tag_field, literal[config.tag], is_required=True)
    for field in msgspec.structs.fields(cls):
        plain = field.default is not msgspec.NODEFAULT
        yield Field(
            field.encode_name, field.type, {}, {}, field.required, plain, field.default
        )


def _defaults(field: Any) -> tuple[bool, bool]:
    """Tell whether a field has a default value, and whether one is made."""
    absent = (attrs.NOTHING, dataclasses.MISSING)
    factory: Any = attrs.Factory
    made = isinstance(field.default, factory)
    made |= getattr(field, "default_factory", absent[1]) is not absent[1]
    return not made and all(field.default is not each for each in absent), made
