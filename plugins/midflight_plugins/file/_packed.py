"""A parsed file as bytes and back, by JSON: data never becomes code."""

from __future__ import annotations

import datetime
import json
from typing import Any

from midflight import Document
from midflight_plugins.file._incremental import Chunks
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._unit import Reference, Unit, uncollected

_TIMES: dict[str, Any] = {
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
}
# JSON has no dates. A key with this character is refused in every configuration.
_MARK = "\0"
_MARKED = b'"\\u0000"'


def pack(unit: Unit) -> bytes:
    """Return a unit without faults as bytes: a line of JSON, then those of its file.

    Raises:
        TypeError: it holds what JSON cannot say.
    """
    document, layout = unit.document, unit.layout
    assert document is not None
    held = {
        "modules": [each.as_mapping() for each in document.modules.values()],
        "sections": document.sections,
        "imports": [[each.file, each.path] for each in unit.imports],
        "workflows": [[each.file, each.path] for each in unit.workflows],
        "layout": layout and [layout.indent, layout.begin, layout.lengths.tolist()],
    }
    line = json.dumps(held, default=_time, separators=(",", ":"))
    return b"%b\n%b" % (line.encode(), unit.data)


def _time(value: Any) -> dict[str, list[str]]:
    name = type(value).__name__
    if _TIMES.get(name) is not type(value):
        msg = f"cannot be packed: {name}"
        raise TypeError(msg)
    return {_MARK: [name, value.isoformat()]}


def _untimed(value: dict[str, Any]) -> Any:
    if _MARK not in value:
        return value
    name, text = value[_MARK]
    return _TIMES[name].fromisoformat(text)


def unpack(packed: bytes, name: str, limits: Limits, form: str) -> Unit:
    """Return the unit that was packed; its document is checked like any other.

    Args:
        packed: what `pack` gave.
        name: the file, as the user would write it.
        limits: the bounds it was parsed under.
        form: the suffix that says how it is read, if its name has none.

    Raises:
        ValueError, KeyError, TypeError: it was not packed so.
        InvalidConfigurationError: it holds what no document can.
    """
    line, _, data = packed.partition(b"\n")
    with uncollected(len(line)):
        hook = _untimed if _MARKED in line else None
        held = json.loads(line, object_hook=hook)
        raw = {"modules": held["modules"], **held["sections"]}
        document = Document.from_mapping(raw)
    return Unit(
        name,
        data,
        "",
        limits,
        document,
        _references(held["imports"]),
        _references(held["workflows"]),
        layout=_layout(held["layout"], data),
        form=form,
    )


def _references(pairs: list[Any]) -> tuple[Reference, ...]:
    return tuple(Reference(file, tuple(path)) for file, path in pairs)


def _layout(held: Any, data: bytes) -> Chunks | None:
    if held is None:
        return None
    indent, begin, lengths = held
    return Chunks.of(indent, begin, lengths, data)
