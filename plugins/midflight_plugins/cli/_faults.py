"""Faults as text for people, as data for programs, as annotations for GitHub."""

from __future__ import annotations

import functools
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import click

from midflight import Fault, Place
from midflight.errors import dotted
from midflight_plugins.cli._passwords import is_secret
from midflight_plugins.cli._text import plural, printable, width

_LONGEST = 16 * 2**20  # bytes of a file that a line is shown of
_LINE = 100  # characters of a line that are shown
_LEAD = 60  # of them, at most so many before the place
# From here on a line of a file may hold a secret: it is not for a log of a CI run.
_SECRET = re.compile(
    r"""(?:pass|pwd|secret|token|credential|key|dsn|auth)[\w-]*["']?\s*[:=]\s*(?=\S)"""
    r"|://(?=[^\s/@]*:[^\s/@]*@)",
    re.IGNORECASE,
)
# A line without a key of its own may be one of a text that began above it.
_OWN = re.compile(r"""\s*(?:-\s+)*["']?[\w.-]+["']?\s*(?::(?:\s|$)|=\s*[^\s=])""")
_ABOVE = re.compile(
    r"""(?:pass|pwd|secret|token|credential|key|dsn|auth)[\w-]*["']?\s*[:=]""",
    re.IGNORECASE,
)
_MOST_ABOVE = 200  # lines; a private key has some fifty


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Sort faults by file, in the order of the files, and by place."""
    faults = tuple(map(_untold, faults))
    files = list(dict.fromkeys(map(_file, faults)))
    return sorted(faults, key=lambda fault: (files.index(_file(fault)), _at(fault)))


def _untold(fault: Fault) -> Fault:
    """Return a fault without the value it found, if its path is that of a secret."""
    value = fault.found.strip("'\"")
    if not value or not is_secret(dotted(fault.path)):
        return fault
    hint = fault.hint.partition(":")[0] if value in fault.hint else fault.hint
    return attrs.evolve(fault, found="", hint=hint)


def as_data(faults: Iterable[Fault]) -> list[dict[str, Any]]:
    """Return faults as plain data for JSON."""
    return [
        {
            "code": str(fault.code),
            "message": fault.message,
            "path": dotted(fault.path),
            **place_data(fault.place),
            "found": fault.found,
            "expected": fault.expected,
            "hint": fault.hint,
        }
        for fault in in_order(faults)
    ]


def place_data(place: Place | None) -> dict[str, Any]:
    """Return a place as plain data for JSON."""
    return {
        "file": place and place.source,
        "line": place and place.line,
        "column": place and place.column,
        "layer": (place and place.layer) or None,
    }


# -- for people --------------------------------------------------------------------


def as_text(faults: Sequence[Fault], *, excerpts: bool = True) -> str:
    """Return one paragraph for each fault, by file and place, and their number.

    Args:
        faults: of one configuration.
        excerpts: whether their files are those of this process: to another one, a
            relative path is another file.
    """
    files = {_file(fault) for fault in faults}
    total = plural(len(faults), "fault")
    where = f" in {plural(len(files), 'file')}" if len(files) > 1 else ""
    lines = functools.cache(_lines) if excerpts else _unread
    told = _paragraphs(faults, "error", "red", lines)
    return "\n\n".join([*told, total + where])


def as_warnings(faults: Sequence[Fault]) -> str:
    """Return the same paragraphs for faults that stop nothing."""
    lines = functools.cache(_lines)
    return "\n\n".join(_paragraphs(faults, "warning", "yellow", lines))


def _paragraphs(
    faults: Iterable[Fault], word: str, colour: str, lines: Any
) -> Iterable[str]:
    for fault in in_order(faults):
        head = click.style(f"{word}[{fault.code}]", fg=colour, bold=True)
        yield _paragraph(head, fault, lines)


def _file(fault: Fault) -> str:
    return fault.place.source if fault.place else ""


def _at(fault: Fault) -> tuple[int, int]:
    place = fault.place
    return ((place.line or 0), (place.column or 0)) if place else (0, 0)


def _paragraph(head: str, fault: Fault, lines: Any) -> str:
    text = [f"{head}: {click.style(printable(fault.message), bold=True)}"]
    number = str(fault.place.line or "") if fault.place else ""
    margin = " " * (len(number) + 1)
    if fault.place:
        text.append(f"{margin[:-1]}{_blue('-->')} {printable(str(fault.place))}")
        if not is_secret(dotted(fault.path)):  # it may go over several lines
            text += _snippet(fault.place, lines(fault.place.source))
    notes = {
        "at": dotted(fault.path),
        "found": fault.found,
        "expected": fault.expected,
        "hint": fault.hint,
    }
    for name, note in notes.items():
        if note:
            text.append(f"{margin} {_blue('=')} {name + ':':<9} {printable(note)}")
    return "\n".join(text)


def _blue(text: str) -> str:
    return click.style(text, fg="blue", bold=True)


def _lines(source: str) -> list[str]:
    """Return the lines of a plain readable text file, or none."""
    try:
        file = pathlib.Path(source)
        if not file.is_file() or file.stat().st_size > _LONGEST:
            return []
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError):
        return []
    return re.split(r"\r\n|\r|\n", text)


def _unread(source: str) -> list[str]:  # noqa: ARG001  # as `_lines`
    """Return no line."""
    return []


def _snippet(place: Place, lines: Sequence[str]) -> list[str]:
    """Return the line of a place with a caret under its column."""
    if not place.line or not place.line <= len(lines):
        return []
    line, column = lines[place.line - 1].expandtabs(1), max(place.column or 1, 1)
    if secret := _SECRET.search(line):
        line = f"{line[: secret.end()]}********"
    if not line.strip() or _is_within_secret(lines, place.line - 1):
        return []
    start = max(0, column - 1 - _LEAD) if len(line) > _LINE else 0
    before, after = line[start : column - 1], line[column - 1 : start + _LINE]
    before, after = printable(before), printable(after)
    margin = " " * (len(str(place.line)) + 1)
    bar = _blue("|")
    caret = click.style("^", fg="red", bold=True)
    shown = [f"{margin} {bar}", f" {_blue(str(place.line))} {bar} {before}{after}"]
    if place.column:
        shown.append(f"{margin} {bar} {' ' * width(before)}{caret}")
    return shown


def _is_within_secret(lines: Sequence[str], at: int) -> bool:
    """Tell whether a line seems to go on with a secret that began above it."""
    for line in reversed(lines[max(0, at - _MOST_ABOVE) : at + 1]):
        if "PRIVATE KEY" in line:
            return True
        if _OWN.match(line):
            return line is not lines[at] and _ABOVE.search(line) is not None
    return False


# -- for GitHub --------------------------------------------------------------------


def as_github(faults: Iterable[Fault]) -> str:
    """Return one workflow command for each fault."""
    return "\n".join(map(_annotation, in_order(faults)))


def _annotation(fault: Fault) -> str:
    place = fault.place
    properties = {
        "file": place and place.source,
        "line": place and place.line,
        "col": place and place.column,
        "title": fault.code,
    }
    given = ",".join(
        f"{name}={_escaped(str(value), ':,')}"
        for name, value in properties.items()
        if value
    )
    text = fault.message
    if fault.path:
        text += f" at `{dotted(fault.path)}`"
    for name in ("found", "expected", "hint"):
        if note := getattr(fault, name):
            text += f"\n{name}: {note}"
    return f"::error {given}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    """Escape what ends a workflow command's value; the percent sign first."""
    for each in f"%\r\n{more}":
        text = text.replace(each, f"%{ord(each):02X}")
    return text
