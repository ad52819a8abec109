"""Typed configuration for models and dataclasses of pydantic.

Values are taken as JSON gives them, strictly: a number in quotes is no number, but a
text may be a path or a date. Unknown keys are refused unless a model says `allow`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from midflight import hookimpl
from midflight.errors import Fault, InvalidConfigurationError, Path

if TYPE_CHECKING:
    from midflight_plugins.schema import Described

_ABOUT_KEYS = {
    "missing",
    "missing_argument",
    "extra_forbidden",
    "unexpected_keyword_argument",
}


def is_ours(kind: Any) -> bool:
    """Tell whether pydantic made a class; it is not imported to find out."""
    return isinstance(kind, type) and hasattr(kind, "__pydantic_validator__")


@hookimpl
def structure(config: Mapping[str, Any], type: Any) -> Any:  # noqa: A002  # the hookspec's name
    """Build an instance of a model, strictly.

    Args:
        config: the configuration, as plain values.
        type: the model.

    Returns:
        the instance, or `None` if `type` is not pydantic's.

    Raises:
        InvalidConfigurationError: with every fault, paths relative to `config`.
    """
    if not is_ours(type):
        return None
    from pydantic import ValidationError

    text, validator = _json(config), type.__pydantic_validator__
    faults = list(_loose(config, said)) if (said := _choices(type)) else []
    try:
        made = validator.validate_json(text, strict=True, extra="forbid")
    except ValidationError as exc:
        found = list(_faults(exc, config, type))
        if not (faults or found):  # but what a model allows
            return validator.validate_json(text, strict=True)
        paths = {fault.path for fault in found}
        faults = found + [fault for fault in faults if fault.path not in paths]
    if faults:
        raise InvalidConfigurationError(faults)
    return made


@hookimpl
def json_schema(type: Any) -> Mapping[str, Any] | None:  # noqa: A002  # the hookspec's name
    """Describe a model as JSON Schema.

    Args:
        type: the model.

    Returns:
        the schema (2020-12), closed to unknown keys as structuring is; `None` if
        `type` is not pydantic's.
    """
    if not is_ours(type):
        return None
    from pydantic import TypeAdapter

    from midflight_plugins.structure._closed import closed

    return closed(TypeAdapter(type).json_schema(schema_generator=_generator()))


@functools.cache
def _generator() -> Any:
    """Return what makes schemas; it says nothing of a default that JSON has not."""
    from pydantic.json_schema import GenerateJsonSchema

    quiet = {"skipped-choice", "non-serializable-default"}
    return type("Quiet", (GenerateJsonSchema,), {"ignored_warning_kinds": quiet})


@functools.lru_cache(256)
def _choices(kind: Any) -> Described | None:
    """Return what a model's schema says, if it names numbers as the only choices."""
    said = _said(kind)
    return said if _names_numbers(said.root) else None


def _names_numbers(part: Any) -> bool:
    if isinstance(part, list | tuple):
        return any(map(_names_numbers, part))
    if not isinstance(part, Mapping):
        return False
    named = (*_listed(part.get("enum")), part.get("const"))
    return any(isinstance(each, int | float) for each in named) or any(
        map(_names_numbers, part.values())
    )


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _loose(value: Any, here: Described, path: Path = ()) -> Iterator[Fault]:
    """Yield the numbers that pydantic takes for another: 1.0 and true for 1."""
    from midflight_plugins.structure._told import is_chosen, wrong_at

    if isinstance(value, int | float):
        if not is_chosen(value, here):
            yield wrong_at(here, (), value, "").under(path)
    elif isinstance(value, Mapping | list | tuple):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in pairs:
            yield from _loose(item, here.below(key), (*path, key))


def _json(config: Mapping[str, Any]) -> str:
    """Write a configuration as JSON; dates of TOML become text."""
    import json

    return json.dumps(config, default=lambda value: value.isoformat())


def _said(kind: Any) -> Described:
    """Return what a model's schema says; where it has none, all is secret."""
    from midflight_plugins.schema import Described

    try:
        return Described.by(json_schema(kind) or {})
    except Exception:  # noqa: BLE001  # a type of the author's need not have one
        return Described.by({"writeOnly": True})


def _faults(error: Any, config: Mapping[str, Any], kind: Any) -> Iterator[Fault]:
    """Yield what pydantic found, without what the explicitly open models allow."""
    said = _said(kind)
    seen: set[tuple[Path, str]] = set()
    for path, each in _nearest(error.errors(include_url=False), config):
        if each["type"] == "extra_forbidden" and said.at(path[:-1]).is_open:
            continue
        fault = _fault(said, path, each, config)
        if (fault.path, fault.code) not in seen:  # each member of a union says it
            seen.add((fault.path, fault.code))
            yield fault


def _fault(
    said: Described, path: Path, each: Mapping[str, Any], config: Mapping[str, Any]
) -> Fault:
    from midflight_plugins.structure._told import missing_at, unknown_at, wrong_at

    kind = each["type"]
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        path = (*path, each["ctx"]["discriminator"].strip("'"))
        if kind == "union_tag_not_found":
            return missing_at(said, path)
    if kind in {"missing", "missing_argument"}:
        return missing_at(said, path)
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        return unknown_at(said, path)
    why = each["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    value: Any = config
    for key in path:
        value = value[key] if _leads(value, key) else None
    return wrong_at(said, path, value, why[:1].lower() + why[1:])


def _nearest(
    errors: list[Any], config: Mapping[str, Any]
) -> Iterator[tuple[Path, Any]]:
    """Yield path and error; of a union those of the member that is nearest."""
    groups: dict[Path, dict[Any, list[tuple[Path, Any]]]] = {}
    for each in errors:
        path, at, tag = _path(each, config)
        groups.setdefault(at, {}).setdefault(tag, []).append((path, each))
    for at, members in groups.items():
        deep = [m for m in members.values() if any(path != at for path, _ in m)]
        if None in members or len(members) == 1 or not deep:
            for found in members.values():
                yield from found
        else:
            yield from min(deep, key=len)


def _path(error: Mapping[str, Any], config: Any) -> tuple[Path, Path, Any]:
    """Return where an error is, and the first member of a union on the way.

    The way that pydantic tells names the members too, which are no keys.
    """
    loc, here = error["loc"], config
    path: Path = ()
    at, tag = None, None
    is_about_key = error["type"] in _ABOUT_KEYS
    for number, word in enumerate(loc):
        if _leads(here, word):
            path, here = (*path, word), here[word]
        elif is_about_key and number == len(loc) - 1:
            path = (*path, word)
        elif at is None:
            at, tag = path, word
    return path, path if at is None else at, tag


def _leads(here: Any, word: Any) -> bool:
    if isinstance(here, Mapping):
        return word in here
    return isinstance(here, list | tuple) and word in range(len(here))
