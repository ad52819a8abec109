"""Write plain data as YAML that reads as the same data, for the editor.

Not for files: it knows no comments. Texts that a reader could take for something else
are quoted, so that what is shown is also accepted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z_/][\w./@+-]*(?: [\w./@+-]+)*", re.ASCII)
_TAKEN = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_LINES = re.compile(r"[^\s#][^\r]*\n", re.DOTALL)


def written(value: Mapping[str, Any]) -> str:
    """Return a mapping as YAML, its keys in their order."""
    return "".join(f"{line}\n" for line in _mapping(value, "")) if value else ""


def _mapping(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        yield from _item(f"{indent}{scalar(str(key))}:", item, f"{indent}  ")


def _item(head: str, item: Any, indent: str) -> Iterator[str]:
    if isinstance(item, Mapping) and item:
        yield head
        yield from _mapping(item, indent)
    elif isinstance(item, list | tuple) and item:
        yield head
        for each in item:
            yield from _entry(each, indent)
    elif isinstance(item, str) and _is_block(item):
        yield f"{head} |"
        yield from (indent + line if line else "" for line in item.split("\n")[:-1])
    else:
        yield f"{head} {scalar(item)}"


def _entry(item: Any, indent: str) -> Iterator[str]:
    """Write one entry of a list; a mapping begins on the line of its dash."""
    if isinstance(item, Mapping) and item:
        lines = _mapping(item, f"{indent}  ")
        yield f"{indent}- {next(lines).lstrip()}"
        yield from lines
    else:
        yield from _item(f"{indent}-", item, f"{indent}  ")


def _is_block(text: str) -> bool:
    """Tell whether a text of several lines reads back from a block as it was."""
    lines = text.split("\n")
    plain = all(line.isprintable() and line == line.rstrip() for line in lines)
    return plain and bool(_LINES.fullmatch(text)) and not text.endswith("\n\n")


def scalar(value: Any) -> str:
    """Write one value on one line."""
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and value.lower() not in _TAKEN
        return value if bare else _quoted(value)
    if isinstance(value, float) and math.isfinite(value):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    if isinstance(value, Mapping):
        pairs = (f"{scalar(str(key))}: {scalar(each)}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(scalar, value)) + "]"
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return scalar(str(value))


def _quoted(text: str) -> str:
    """Write a text between quotes; what cannot be seen is written out."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return _ESCAPES.get(letter, letter)
    return _ESCAPES.get(letter) or f"\\U{ord(letter):08x}"
