"""Write a document as YAML or JSON, so that it is read back as the same."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from midflight import Document
from midflight_plugins.file._scalars import resolve
from midflight_plugins.file._text import ODD

_POINTLESS = re.compile(r"^(-?\d)e")
_BREAKS = frozenset("\x85\u2028\u2029")  # of lines, for some readers
_WIDTH = 4096  # columns, after which a value may go on in the next line


def dumped(document: Document, suffix: str) -> str:
    """Return the text of a document, in the format of a suffix."""
    raw = {
        key: value
        for key, value in document.as_mapping().items()
        if key != "modules" or value
    }
    if suffix == ".json":
        text = json.dumps(raw, indent=2, ensure_ascii=False, default=_unwritable)
        return ODD.sub(lambda odd: f"\\u{ord(odd[0]):04x}", text) + "\n"
    return as_yaml(raw)


def as_yaml(raw: Any, yaml: Any = None) -> str:
    """Return a value as YAML, laid out as a given instance of ruamel.yaml does."""
    out = io.StringIO()
    (yaml or dumper()).dump(raw if yaml else quoted(raw), out)
    return out.getvalue()


def dumper() -> Any:
    """Return what writes YAML, and what reads it with all that is not a value."""
    from midflight_plugins.file._events import reader

    yaml = reader()()
    yaml.Constructor, yaml.Representer = _numbers()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width, yaml.allow_unicode, yaml.preserve_quotes = _WIDTH, True, True
    # `[{a: 1}]`, not `[a: 1]`, which the C parser does not read as it was meant.
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    return yaml


@functools.cache
def _numbers() -> tuple[Any, Any]:
    """Return what reads and writes numbers with a point as they stand.

    ruamel.yaml's own may lose the last digit of a long one, and would write 5e-324,
    which not every reader takes for a number, and not 5.0e-324.
    """
    from ruamel.yaml.constructor import RoundTripConstructor
    from ruamel.yaml.representer import RoundTripRepresenter

    tag = "tag:yaml.org,2002:float"

    class Number(str):
        __slots__ = ()

    class Constructor(RoundTripConstructor):
        def number(self, node: Any) -> Any:
            return Number(node.value)

    class Representer(RoundTripRepresenter):
        def number(self, value: float | Number) -> Any:
            given = isinstance(value, str)
            text = value if given else _POINTLESS.sub(r"\1.0e", repr(value))
            return self.represent_scalar(tag, text)

    Constructor.add_constructor(tag, Constructor.number)
    for kind in (float, Number):
        Representer.add_representer(kind, Representer.number)
    return Constructor, Representer


def quoted(value: Any) -> Any:
    """Return a value as ruamel takes it; a text that could be another is quoted."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, Mapping):
        return {quoted(key): quoted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [quoted(each) for each in value]
    if isinstance(value, str):
        has_break = _BREAKS.intersection(value) or not value.strip("\n")
        plain = resolve(value) == value and not has_break
        return value if plain else DoubleQuotedScalarString(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return DoubleQuotedScalarString(_unwritable(value))


def _unwritable(value: object) -> str:
    """Write a date as text; reading it back will show that this is another value."""
    return str(value)
