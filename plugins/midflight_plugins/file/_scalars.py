"""What a plain YAML scalar means, and where readers of YAML disagree about it.

The core schema of YAML 1.2, less every spelling that YAML 1.1 reads as something else:
those are refused, because half of all tools would understand them differently.
"""

from __future__ import annotations

import re
from typing import Any

import attrs

from midflight.errors import Code
from midflight_plugins.file._text import LONGEST_NUMBER

_SHOWN = 40
_KEPT = 4_096
_SHORT = 64
_NEW = object()
_STARTS = frozenset("-+.0123456789~nNtTfFyYoO")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_OLD_BOOLS = frozenset(
    form
    for word in ("yes", "no", "on", "off")
    for form in (word, word.capitalize(), word.upper())
)
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+][0-9]+)?")
_LOSES_ZERO = re.compile(r"[-+]?[0-9]+\.[0-9]+0")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_SURPRISES = (
    (re.compile(r"[-+]?0[0-9_]+"), "an octal number for some readers"),
    (re.compile(r"[-+]?0b[01_]+"), "a binary number for some readers"),
    (re.compile(r"[-+]?0[ox][0-9a-fA-F_]*"), "a number for some readers"),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"),
        "a number in base 60 for some readers",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"),
        "a number for some readers, a string for others",
    ),
    (
        re.compile(
            r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
            r"(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
            r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?"
        ),
        "a date for some readers",
    ),
)


@attrs.frozen
class Surprise:
    """A spelling that is refused; see `Fault` for the fields."""

    code: Code
    message: str
    expected: str
    hint: str


class Words:
    """The scalars of one text: equal ones are one object, as far as they are short."""

    def __init__(self) -> None:
        self._plain: dict[str, Any] = {}
        self._quoted: dict[str, str] = {}

    def plain(self, text: str) -> Any:
        """Return the value of a plain scalar, or a `Surprise`."""
        value = self._plain.get(text, _NEW)
        if value is _NEW:
            value = resolve(text)
            if len(text) <= _SHORT and len(self._plain) < _KEPT:
                self._plain[text] = value
        return value

    def quoted(self, text: str) -> str:
        """Return a text that stands for itself."""
        if len(text) > _SHORT or len(self._quoted) >= _KEPT:
            return self._quoted.get(text, text)
        return self._quoted.setdefault(text, text)


def resolve(text: str) -> Any:
    """Return the value of a plain scalar, or a `Surprise`."""
    if text and text[0] not in _STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return _int(text, 10)
    if _FLOAT.fullmatch(text) and not _LOSES_ZERO.fullmatch(text):
        return _float(text)
    if _BASED.fullmatch(text):
        return _int(text[2:], 8 if text[1] == "o" else 16)
    return _surprise(text) or text


def _int(digits: str, base: int) -> Any:
    if len(digits) > LONGEST_NUMBER:
        return Surprise(
            Code.E_RANGE,
            "integer out of range",
            "-2^63 to 2^64-1",
            "quote it if it is not a number",
        )
    return int(digits, base)


def _float(text: str) -> Any:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return Surprise(
            Code.E_NONFINITE, "number is too large", "a finite number", "quote it"
        )
    return value


def _surprise(text: str) -> Surprise | None:
    if _NOT_FINITE.fullmatch(text):
        return Surprise(
            Code.E_NONFINITE, "number is not finite", "a finite number", "quote it"
        )
    if text in _OLD_BOOLS:
        return _refuse(text, "a boolean for some readers", "write true or false, or ")
    if _LOSES_ZERO.fullmatch(text):
        short = text.rstrip("0")
        short += "0" if short.endswith(".") else ""
        return _refuse(text, "a number that loses its last zero", f"write {short}, or ")
    for pattern, what in _SURPRISES:
        if pattern.fullmatch(text):
            return _refuse(text, what)
    return None


def _refuse(text: str, what: str, instead: str = "") -> Surprise:
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return Surprise(
        Code.E_TYPE,
        f"unquoted value is {what}",
        "a value that every reader of YAML understands alike",
        f'{instead}quote it: "{short}"',
    )
