"""Read JSON with the standard library; scan it again only to place an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import attrs

from midflight.errors import Code, Fault, Path, Place, shown
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._nested import depth_fault, too_deep
from midflight_plugins.file._text import (
    LONGEST_NUMBER,
    Parsed,
    Spot,
    empty,
    first_token,
    hides,
    may_be_secret,
    spot_at,
)

_SHOWN = 60
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b'[]{}"'))
# A string that nobody closes is a token, too: else each quote in it is one more search.
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*"?)|([{}\[\],:])|([^\s{}\[\],:"]+)')


def parse(text: str, source: str, limits: Limits, *, record: bool = False) -> Parsed:
    """Parse one JSON document; see `_yaml.parse` for the arguments."""
    if not text.strip():
        return Parsed(faults=[empty(source)], complete=False)
    reader = _Reader()
    parsed = Parsed()
    try:
        parsed.value = reader.read(text)
    except json.JSONDecodeError as exc:
        parsed.complete = False
        parsed.faults.append(_syntax(exc, text, source))
        return parsed
    except RecursionError:
        parsed.complete = False
        parsed.faults.append(_depth(text, source, limits))
        return parsed
    most = limits.max_depth
    deep = too_deep(parsed.value, most) if _may_be_deeper(text, most) else None
    if deep is not None:
        parsed.complete = False
        parsed.faults.append(depth_fault(deep, _spots(text), source, limits))
        return parsed
    if record:
        parsed.spots = _spots(text)
    if reader.odd:
        parsed.faults.extend(_oddities(text, source))
    if parsed.value is None and not parsed.faults:
        parsed.faults.append(empty(source))
    return parsed


def _may_be_deeper(text: str, most: int) -> bool:
    """Tell whether JSON without fault might be nested deeper, by loops in C.

    Of the text brackets and quotes are left, and the brackets of the innermost level
    are taken away, level by level: a fiftieth of the time that a document takes.
    """
    if text.count("[") + text.count("{") <= most:
        return False
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    # Quotes that stay are those of a text with a bracket in it: it has to be looked at.
    left = text.encode().translate(_BRACKETS, _OTHERS).replace(b'""', b"")
    for _ in range(most):
        if not left:
            return False
        left = left.replace(b"[]", b"")
    return bool(left)


def _spots(text: str) -> dict[Path, Spot]:
    """Return where each path begins; of two alike, the first."""
    spots: dict[Path, Spot] = {}
    line, began, seen = 1, 0, 0
    for item in scan(text):
        if lines := text.count("\n", seen, item.value):
            line, began = line + lines, text.rfind("\n", seen, item.value) + 1
        seen = item.value
        spots.setdefault(item.path, (line, seen - began + 1))
    return spots


class _Reader:
    """A decoder that notices what JSON lets pass silently."""

    def __init__(self) -> None:
        self.odd = False

    def read(self, text: str) -> Any:
        return json.loads(
            text,
            object_pairs_hook=self._pairs,
            parse_constant=self._constant,
            parse_float=self._float,
            parse_int=self._int,
        )

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        self.odd = True
        return dict(reversed(pairs))

    def _constant(self, text: str) -> str:
        self.odd = True
        return text

    def _float(self, text: str) -> Any:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            self.odd = True
            return text
        return value

    def _int(self, text: str) -> Any:
        if len(text) > LONGEST_NUMBER:
            self.odd = True
            return text
        return int(text)


@attrs.frozen
class Item:
    """A value met by the scan: its path, and where its key and it begin."""

    path: Path
    key: int
    value: int
    text: str
    depth: int


@attrs.define
class _Level:
    opened: int
    mapping: bool
    key: str | int = ""
    key_at: int = 0
    expects_key: bool = False

    def separate(self, mark: str) -> None:
        """Take a comma or colon."""
        self.expects_key = mark == "," and self.mapping
        if isinstance(self.key, int):
            self.key += 1


def scan(text: str) -> Iterator[Item]:
    """Yield every value of a JSON text in order, without recursion."""
    levels: list[_Level] = []
    for token in _TOKEN.finditer(text):
        string, mark, word = token.groups()
        at = token.start(token.lastindex or 0)
        top = levels[-1] if levels else None
        if mark in ("}", "]"):
            del levels[-1:]
        elif mark in (",", ":"):
            if top is not None:
                top.separate(mark)
        elif string and top is not None and top.mapping and top.expects_key:
            top.key, top.key_at = _unquoted(string), at
        else:
            path = tuple(level.key for level in levels)
            key_at = top.key_at if top is not None and top.mapping else at
            shown = (string or mark or word)[:_SHOWN]
            yield Item(path, key_at, at, shown, len(levels))
            if mark:
                mapping = mark == "{"
                levels.append(_Level(at, mapping, "" if mapping else 0, at, mapping))


def _unquoted(string: str) -> str:
    try:
        return str(json.loads(string))
    except ValueError:
        return string


def _oddities(text: str, source: str) -> Iterator[Fault]:
    """Find duplicate keys and numbers that are none."""
    first: dict[Path, int] = {}
    for item in scan(text):
        if item.path and item.path in first and item.key != first[item.path]:
            line, column = spot_at(text, first[item.path])
            yield Fault(
                Code.E_DUPKEY,
                f"key `{item.path[-1]}` is there twice",
                item.path,
                Place(source, *spot_at(text, item.key)),
                found=f"first at {line}:{column}",
                hint="remove one of the two",
            )
        first.setdefault(item.path, item.key)
        fault = _number(item.text)
        if fault is not None:
            place = Place(source, *spot_at(text, item.value))
            found = "" if hides(item.path) else fault.found
            yield attrs.evolve(fault, path=item.path, place=place, found=found)


def _number(word: str) -> Fault | None:
    if word in ("NaN", "Infinity", "-Infinity"):
        msg = "number is not finite"
    elif not re.fullmatch(r"-?[0-9]+.*", word, re.DOTALL):
        return None
    elif "." not in word and "e" not in word.lower():
        if len(word) < _SHOWN:
            return None
        return Fault(
            Code.E_RANGE,
            "integer out of range",
            found=shown(word),
            expected="-2^63 to 2^64-1",
            hint="quote it if it is not a number",
        )
    elif float(word) not in (float("inf"), float("-inf")):
        return None
    else:
        msg = "number is too large"
    return Fault(
        Code.E_NONFINITE, msg, found=word, expected="a finite number", hint="quote it"
    )


def _depth(text: str, source: str, limits: Limits) -> Fault:
    deep = next((item for item in scan(text) if item.depth >= limits.max_depth), None)
    place = Place(source, *spot_at(text, deep.value)) if deep else Place(source, 1, 1)
    msg = f"nested deeper than {limits.max_depth} levels"
    return Fault(Code.E_DEPTH, msg, deep.path[:8] if deep else (), place)


def _syntax(exc: json.JSONDecodeError, text: str, source: str) -> Fault:
    rest = text[exc.pos :]
    message = exc.msg[:1].lower() + exc.msg[1:]
    spot: Spot = exc.lineno, exc.colno
    if exc.msg == "Extra data":
        try:
            json.loads(rest)
        except ValueError:
            message = "text follows the end of the document"
        else:
            msg = "the file holds more than one document"
            place = Place(source, *spot)
            return Fault(Code.E_MULTIDOC, msg, (), place, expected="one document")
    hint = ""
    opened = _left_open(text)
    if not rest.strip() and opened is not None:
        spot = spot_at(text, opened)
        hint = "close what is opened here"
        message = f"`{text[opened]}` is never closed: {message}"
    found = first_token(rest) if rest.strip() else "the end of the file"
    if rest.strip() and may_be_secret(text, exc.pos):
        found = ""
    return Fault(Code.E_SYNTAX, message, (), Place(source, *spot), found, hint=hint)


def _left_open(text: str) -> int | None:
    stack: list[int] = []
    for token in _TOKEN.finditer(text):
        mark = token.group(2)
        if mark in ("{", "["):
            stack.append(token.start(2))
        elif mark in ("}", "]") and stack:
            stack.pop()
    return stack[-1] if stack else None
