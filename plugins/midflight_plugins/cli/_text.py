"""Plain text that is safe and lines up in a terminal."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import click


def printable(text: str, keep: str = "") -> str:
    """Write out control and invisible characters, so that none acts on a terminal.

    Args:
        text: from a configuration or an error.
        keep: characters that stay as they are, such as a line feed.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else ascii(each)[1:-1]
        for each in text
    )


def width(text: str) -> int:
    """Return how many columns a terminal gives to a text."""
    text = click.unstyle(text)
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 1 + _is_wide(each) for each in text
    )


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in {"W", "F"}


def table(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Line up rows in columns, two spaces apart."""
    cells = [[printable(cell, keep="\x1b") for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    return "\n".join(indent + "  ".join(_padded(row, widths)).rstrip() for row in cells)


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    for cell, columns in zip(row, widths, strict=True):
        yield cell + " " * (columns - width(cell))


def cut(text: str, columns: int | None) -> str:
    """Cut each line to the columns of a terminal, if it is one."""
    return "\n".join(_cut(line, columns or width(line)) for line in text.splitlines())


def _cut(line: str, columns: int) -> str:
    if width(line) <= columns:
        return line
    while width(line) >= columns:
        line = line[:-1]
    return f"{line}…"


def terminal() -> int | None:
    """Return the columns of the terminal that output goes to, if it goes to one."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def _other(value: Any) -> Any:
    """Return what JSON cannot hold as fields, or as text; a `Secret` hides itself."""
    if not attrs.has(type(value)):
        return str(value)
    return attrs.asdict(value, recurse=False)


def value_text(value: Any) -> str:
    """Write a value on one line, as JSON, with dates as they stand."""
    return json.dumps(value, ensure_ascii=False, default=_other)


def json_text(value: Any) -> str:
    """Write a result as JSON for other programs."""
    return json.dumps(value, indent=2, default=_other)


def short(version: object) -> str:
    """Write a version or a digest; of a hash, the beginning says enough."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b", r"\1", str(version))


def plural(count: int, noun: str) -> str:
    """Write a number with its noun: `1 fault`, `2 faults`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def plain(value: Any) -> Any:
    """Return a frozen value as one that JSON can hold."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
