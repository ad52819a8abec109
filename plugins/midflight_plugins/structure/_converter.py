"""The cattrs converter: strict hooks for values, groups, unions and classes."""

from __future__ import annotations

import collections.abc
import contextvars
import enum
import functools
import types
import typing
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Secret
from midflight.errors import Code, Fault, InvalidConfigurationError, PluginError
from midflight_plugins.structure._classes import choose, class_hook, tagged
from midflight_plugins.structure._fields import is_class
from midflight_plugins.structure._scalars import (
    SCALARS,
    choice,
    describe,
    refuse,
    scalar,
)
from midflight_plugins.structure._secret import secret
from midflight_plugins.structure._typed_dict import is_typed_dict, typed_dict_hook

if TYPE_CHECKING:
    from cattrs import Converter

_LISTS = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: tuple,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: tuple,
    collections.abc.Iterable: tuple,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}
_Refusals = dict[tuple[int, Any], tuple[Fault, ...]]
_refusals: contextvars.ContextVar[_Refusals] = contextvars.ContextVar("refusals")
_MAPPINGS = {dict, collections.abc.Mapping, collections.abc.MutableMapping}


def is_supported(kind: Any) -> bool:
    """Tell whether a type is an attrs class, a dataclass or a `TypedDict`.

    A dataclass of pydantic is left to pydantic.
    """
    origin = typing.get_origin(kind) or kind
    known = is_class(origin) or is_typed_dict(origin)
    return known and not hasattr(origin, "__pydantic_validator__")


def build(config: Mapping[str, Any], kind: Any) -> Any:
    """Build an instance of a supported type, or raise with every fault."""
    from cattrs.errors import StructureHandlerNotFoundError

    token = _refusals.set({})
    try:
        return _converter().structure(config, kind)
    except StructureHandlerNotFoundError as exc:
        msg = (
            f"`{kind.__name__}` has a field of type `{exc.type_}`, which configuration"
            " cannot express; annotate what stands in the file"
        )
        raise PluginError(msg) from exc
    finally:
        _refusals.reset(token)


@functools.cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (*SCALARS, bytes):
        converter.register_structure_hook(kind, scalar)
    converter.register_structure_hook(Secret, secret)

    def is_choice(kind: Any) -> bool:
        return typing.get_origin(kind) is typing.Literal or (
            isinstance(kind, type) and issubclass(kind, enum.Enum)
        )

    def group(kind: Any) -> Any:
        return typing.get_origin(kind) or kind

    hooks = [
        (is_supported, lambda kind: class_hook(kind, converter)),
        (
            lambda kind: is_typed_dict(group(kind)),
            lambda kind: typed_dict_hook(kind, converter),
        ),
        (lambda kind: group(kind) in _LISTS, lambda kind: _list_hook(kind, converter)),
        (lambda kind: group(kind) in _MAPPINGS, lambda _: _mapping_hook(converter)),
        (
            lambda kind: group(kind) in {typing.Union, types.UnionType},
            lambda kind: _union_hook(kind, converter),
        ),
        (is_choice, lambda _: choice),
        (lambda kind: kind in {None, types.NoneType}, lambda _: _null),
    ]
    for predicate, factory in hooks:
        converter.register_structure_hook_factory(predicate, factory)
    return converter


def _null(value: Any, _kind: Any) -> None:
    if value is not None:
        raise refuse(value, "null")


def _each(
    pairs: Iterable[tuple[str | int, Any, Any]], converter: Converter
) -> list[Any]:
    """Structure (key, value, type) triples, and raise the faults of all of them."""
    done: list[Any] = []
    faults: list[Fault] = []
    for key, value, kind in pairs:
        try:
            done.append(converter.structure(value, kind))
        except InvalidConfigurationError as exc:
            faults += [fault.under((key,)) for fault in exc.faults]
    if faults:
        raise InvalidConfigurationError(faults)
    return done


def _list_hook(kind: Any, converter: Converter) -> Any:
    origin = typing.get_origin(kind) or kind
    args = typing.get_args(kind)
    fixed = origin is tuple and bool(args) and args[-1] is not Ellipsis

    def structure(value: Any, _kind: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise refuse(value, "a list", "write it as a list" if value else "")
        if fixed and len(value) != len(args):
            raise refuse(value, f"a list of {len(args)} items")
        kinds = args if fixed else (args[:1] or (Any,)) * len(value)
        triples = zip(range(len(value)), value, kinds, strict=True)
        return _LISTS[origin](_each(triples, converter))

    return structure


def _mapping_hook(converter: Converter) -> Any:
    def structure(value: Any, kind: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise refuse(value, "a mapping")
        of_key, of_value = typing.get_args(kind) or (Any, Any)
        keys = _each(((key, key, of_key) for key in value), converter)
        triples = ((key, item, of_value) for key, item in value.items())
        return dict(zip(keys, _each(triples, converter), strict=True))

    return structure


def _union_hook(kind: Any, converter: Converter) -> Any:
    """Choose by tag where the members have one, else try them in order."""
    members = typing.get_args(kind)
    others = [member for member in members if member is not types.NoneType]
    tag, by_tag = tagged(others)
    if Secret in others:  # then every string is one, also where the union has `str`
        others.remove(Secret)
        others.insert(0, Secret)
        members = tuple(member for member in members if member is not str)

    def structure(value: Any, _kind: Any) -> Any:
        if type(value) in members:
            return value
        if tag and isinstance(value, Mapping):
            return converter.structure(value, choose(value, tag, by_tag))
        # members of members that refuse the same part need not do so again
        known, place = _refusals.get(), (id(value), kind)
        if place in known:
            raise InvalidConfigurationError(known[place])
        refused: list[InvalidConfigurationError] = []
        for member in others:
            try:
                return converter.structure(value, member)
            except InvalidConfigurationError as exc:
                refused.append(exc)
        nearest = _nearest(refused, value, kind)
        if isinstance(value, Mapping | list | tuple):
            known[place] = nearest.faults
        raise nearest

    return structure


def _nearest(
    refused: list[InvalidConfigurationError], value: Any, kind: Any
) -> InvalidConfigurationError:
    """Return the faults of the member of a union that the value resembles most."""
    inside = [exc for exc in refused if any(fault.path for fault in exc.faults)]
    if inside:
        return min(inside, key=lambda exc: len(exc.faults))
    choices = [exc for exc in refused if exc.code is Code.E_ENUM]
    if value is not None and (len(refused) == 1 or choices):
        told = (choices or refused)[0].faults
        wanted = f"{told[0].expected} or null" if len(refused) == 1 else describe(kind)
        faults = [attrs.evolve(fault, expected=wanted) for fault in told]
        return InvalidConfigurationError(faults)
    return refuse(value, describe(kind))
