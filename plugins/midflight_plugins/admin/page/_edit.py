"""What an editor's text asks for: read as configuration, then what differs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Document, Fault, Place, Secret
from midflight.errors import Code, InvalidConfigurationError, dotted

if TYPE_CHECKING:
    from midflight import Runtime

MASK = str(Secret(""))
_HEAD = 'modules:\n  "edited":\n    type: edited\n    config:\n'
_INDENT = 6
_NAME = "the text"
_SPOT = re.compile(r"at (\d+):(\d+)")


def read(runtime: Runtime, text: str) -> Mapping[str, Any]:
    """Return the configuration that a text is, YAML or JSON.

    Raises:
        InvalidConfigurationError: with every fault; lines and columns are the text's.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() == "---":
        lines[0] = ""
    if not any(line.strip() and not line.lstrip().startswith("#") for line in lines):
        return {}
    body = "\n".join(" " * _INDENT + line if line else line for line in lines)
    data = f"{_HEAD}{body}\n".encode()
    try:
        document = runtime.parse(data, "yaml", _NAME).document
        if not isinstance(document, Document):
            document = Document.from_mapping(document)
        config = document.modules["edited"].config
    except InvalidConfigurationError as exc:
        raise InvalidConfigurationError([_moved(each) for each in exc.faults]) from exc
    if not isinstance(config, Mapping):
        fault = Fault(Code.E_TYPE, "a configuration is a mapping of keys to values")
        raise InvalidConfigurationError(fault)
    return config


def _moved(fault: Fault) -> Fault:
    """Say where in the text something stands, which is read inside of a document."""
    place, path = fault.place, fault.path
    if place is not None and place.line is not None:
        line = max(1, place.line - _HEAD.count("\n"))
        column = None if place.column is None else max(1, place.column - _INDENT)
        place = Place("", line, column)
    if path[:3] == ("modules", "edited", "config"):
        path = path[3:]
    message, found = (_SPOT.sub(_respot, each) for each in (fault.message, fault.found))
    return attrs.evolve(fault, path=path, place=place, message=message, found=found)


def _respot(found: re.Match[str]) -> str:
    line, column = (int(each) for each in found.groups())
    return f"at {max(1, line - _HEAD.count(chr(10)))}:{max(1, column - _INDENT)}"


def patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch (RFC 7396) that leads from one mapping to another.

    What is equal is left out, so that a secret which stays masked is not touched.

    Raises:
        InvalidConfigurationError: for a new `null`, which a patch takes for a removal.
    """
    nulls = [*_nulls(old, new, ())]
    if nulls:
        raise InvalidConfigurationError(nulls)
    return _patch(old, new)


def _patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key in old and same(old[key], value):
            continue
        before = old.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            made[key] = _patch(before, value)
        else:
            made[key] = plain(value)
    return made


def _nulls(old: Any, new: Mapping[str, Any], path: tuple[str, ...]) -> list[Fault]:
    """Find each `null` that was not there before."""
    found: list[Fault] = []
    for key, value in new.items():
        before = old.get(key, MASK) if isinstance(old, Mapping) else MASK
        if value is None and before is not None:
            hint = "leave the key out to remove it"
            text = f"`{dotted((*path, key))}` cannot be set to null here"
            found.append(Fault(Code.E_NULL, text, (*path, key), hint=hint))
        elif isinstance(value, Mapping):
            found += _nulls(before, value, (*path, key))
    return found


def same(old: Any, new: Any) -> bool:
    """Compare as configuration does: 1, 1.0 and true differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(same(old[k], new[k]) for k in old)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return len(old) == len(new) and all(map(same, old, new))
    old, new = plain(old), plain(new)
    return type(old) is type(new) and bool(old == new)


def plain(value: Any) -> Any:
    """Return a value as JSON writes it; a secret is masked."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)
