"""Read TOML with the standard library.

`tomllib` gives no places for values; they come from a scan of headers and of lines
that begin with a key, so a value inside an inline table or a list over several lines
gets the place of the nearest line that has one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from midflight.errors import Code, Fault, Path, Place
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._nested import depth_fault, too_deep
from midflight_plugins.file._text import Parsed, Spot, empty

_AT = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_HEADER = re.compile(r"[ \t]*(\[\[?)(.+?)\]\]?[ \t]*(?:#.*)?$")
_PART = re.compile(
    r"""[ \t]*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))[ \t]*"""
)
_TWICE = ("Cannot overwrite a value", "Cannot declare", "Duplicate inline table key")


def parse(text: str, source: str, limits: Limits, *, record: bool = False) -> Parsed:
    """Parse one TOML document; see `_yaml.parse` for the arguments."""
    parsed = Parsed()
    try:
        parsed.value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        parsed.faults.append(_syntax(str(exc), text, source))
    except RecursionError:
        msg = f"nested deeper than {limits.max_depth} levels"
        place = Place(source, *_deepest(text))
        parsed.faults.append(Fault(Code.E_DEPTH, msg, (), place))
    except (ValueError, OverflowError) as exc:
        # An integer of more digits than Python converts, or a date out of range.
        huge = re.search(r"[0-9_]{100,}", text)
        spot = _spot(text, huge.start()) if huge else (1, 1)
        code = Code.E_RANGE if huge else Code.E_SYNTAX
        msg = "integer out of range" if huge else f"not TOML: {exc}"[:200]
        parsed.faults.append(Fault(code, msg, (), Place(source, *spot)))
    deep = too_deep(parsed.value or {}, limits.max_depth)
    if deep is not None:
        spots = dict(reversed([*_spots(text)]))
        parsed.faults.append(depth_fault(deep, spots, source, limits))
    if parsed.faults:
        parsed.complete = False
        return parsed
    if not parsed.value:
        parsed.faults.append(empty(source))
    if record:
        for path, spot in _spots(text):
            parsed.spots.setdefault(path, spot)
    return parsed


def _spot(text: str, offset: int) -> Spot:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _deepest(text: str) -> Spot:
    deep = re.search(r"(?:[\[{]\s*){8}", text)
    return _spot(text, deep.start()) if deep else (1, 1)


def _syntax(message: str, text: str, source: str) -> Fault:
    match = _AT.fullmatch(message)
    what, line, column = match.groups() if match else (message, None, None)
    lines = text.rstrip("\n").split("\n")
    row = int(line) if line else len(lines)
    spot = (row, int(column) if column else len(lines[-1]) + 1)
    code, found = Code.E_SYNTAX, ""
    if what.startswith(_TWICE):
        code = Code.E_DUPKEY
        spot, found = _second(text, row, spot)
    worded = what[:1].lower() + what[1:]
    hint = "remove one of the two" if code is Code.E_DUPKEY else ""
    return Fault(code, worded[:200], (), Place(source, *spot), found, hint=hint)


def _second(text: str, row: int, spot: Spot) -> tuple[Spot, str]:
    """Return the place of the second key, and say where the first is."""
    seen = list(_spots(text, keys=True))
    here = [(path, at) for path, at in seen if at[0] <= row]
    if not here:
        return spot, ""
    path, at = here[-1]
    for other, first in here[:-1]:
        if other == path:
            return at, f"first at {first[0]}:{first[1]}"
    return at, ""


def _spots(text: str, *, keys: bool = False) -> Iterator[tuple[Path, Spot]]:
    """Yield a path and its place for every header and every line with a key."""
    table: Path = ()
    counts: dict[Path, int] = {}
    yield (), (1, 1)
    for row, line in enumerate(text.split("\n"), 1):
        header = _HEADER.match(line)
        names = _key(header.group(2), 0)[0] if header else ()
        if header and names:
            table = _indexed(names, counts)
            if header.group(1) == "[[":
                whole = table
                counts[whole] = counts.get(whole, -1) + 1
                table = (*whole, counts[whole])
            yield table, (row, header.start(1) + 1)
            continue
        names, end = _key(line, 0)
        if names and line[end : end + 1] == "=":
            begins = len(line) - len(line.lstrip())
            value = end + 1 + len(line[end + 1 :]) - len(line[end + 1 :].lstrip())
            yield (*table, *names), (row, (begins if keys else value) + 1)


def _indexed(names: Path, counts: dict[Path, int]) -> Path:
    """Put the position of the current entry after each array of tables."""
    path: Path = ()
    for at, name in enumerate(names):
        path = (*path, name)
        if path in counts and at < len(names) - 1:
            path = (*path, counts[path])
    return path


def _key(line: str, at: int) -> tuple[Path, int]:
    names: Path = ()
    while part := _PART.match(line, at):
        names = (*names, next(group for group in part.groups() if group is not None))
        at = part.end()
        if line[at : at + 1] != ".":
            break
        at += 1
    return names, at
