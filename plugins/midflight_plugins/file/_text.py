"""From bytes to text, and from what a parser gives to one common form."""

from __future__ import annotations

import re
from typing import Any

import attrs

from midflight.errors import Code, Fault, Path, Place, shown

Spot = tuple[int, int]
"""Line and column, counted from 1."""

LONGEST_NUMBER = 100
"""Digits that are converted: more take quadratic time, and Python refuses them."""

_MOST_ODD = 10
_BOMS = (b"\xff\xfe", b"\xfe\xff")
ODD = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SECRET = re.compile("pass|pwd|secret|token|credential|key|dsn|auth", re.IGNORECASE)
_KEY = re.compile(r"""[\w"']\s*(?::(?:\s|$)|=\s*(?:[^\s=]|$))""")
_WORD = re.compile(r"\w{1,30}|[\s\S]")
_MOST_ABOVE = 200  # lines; a private key has some fifty
_PLAIN = bytes([9, 10, 13, *range(0x20, 0x7F)])


@attrs.define
class Parsed:
    """What one text holds.

    Args:
        value: the value at the top; `None` if the text holds nothing usable.
        faults: everything that is wrong with the text.
        spots: where each path begins; filled only if asked for.
        complete: whether the text was understood to its end.
        plain: whether it was YAML without anchor, alias, merge and tag.
        items: where each entry of a top-level list `modules` begins, in YAML.
        keys: where each key of a top-level mapping begins, in order, in YAML.
        text: what was parsed, decoded.
    """

    value: Any = None
    faults: list[Fault] = attrs.field(factory=list)
    spots: dict[Path, Spot] = attrs.field(factory=dict)
    complete: bool = True
    plain: bool = False
    items: list[Spot] = attrs.field(factory=list)
    keys: dict[str, Spot] = attrs.field(factory=dict)
    text: str = ""


def spot_at(text: str, offset: int) -> Spot:
    """Return line and column of an offset."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def hides(path: Path) -> bool:
    """Tell whether a path has a key that is called like a secret."""
    return any(isinstance(key, str) and _SECRET.search(key) for key in path)


def may_be_secret(text: str, offset: int) -> bool:
    """Tell whether what stands at an offset may be a secret, by the key before it.

    For texts that cannot be read: then no path is known.
    """
    for line in reversed(text[:offset].rsplit("\n", _MOST_ABOVE)[-_MOST_ABOVE:]):
        if "PRIVATE KEY" in line:
            return True
        if _KEY.search(line):
            return _SECRET.search(line) is not None
    return False


def first_token(rest: str) -> str:
    """Return the word or mark that a text begins with; what follows may be a secret."""
    found = _WORD.match(rest.strip())
    return shown(found[0]) if found else ""


def empty(source: str) -> Fault:
    """Return the fault of a file that says nothing."""
    return Fault(
        Code.E_EMPTY,
        "the file holds no configuration",
        place=Place(source, 1, 1),
        expected="a mapping with `modules:` and other sections",
        hint="write `modules: []` for a configuration without modules",
    )


def decode(data: bytes, source: str, faults: list[Fault]) -> str | None:
    """Decode UTF-8, with or without a BOM; note what is not text.

    Returns:
        The text, or `None` if there is a fault.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        column = exc.start - data.rfind(b"\n", 0, exc.start)
        wide = data.startswith(_BOMS)
        fault = Fault(
            Code.E_ENCODING,
            "the file is not UTF-8",
            place=Place(source, line, column),
            found="UTF-16" if wide else f"byte 0x{data[exc.start]:02x}",
            expected="UTF-8",
            hint="save the file as UTF-8",
        )
        faults.append(fault)
        return None
    if data.isascii() and not data.translate(None, _PLAIN):
        return text
    for odd in ODD.finditer(text):
        if len(faults) >= _MOST_ODD:
            break
        fault = Fault(
            Code.E_CHAR,
            "the file holds a control character",
            place=Place(source, *spot_at(text, odd.start())),
            found=f"U+{ord(odd.group()):04X}",
            hint="remove it, or write it as an escape in a quoted string",
        )
        faults.append(fault)
    return None if faults else text
