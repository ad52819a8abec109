"""What the text of a variable means."""

from __future__ import annotations

import json
import re
from typing import Any

from midflight import Fault, Place
from midflight.errors import Code, Path

_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None}


class _TwiceError(ValueError):
    """One key stands twice in an object."""


def value_of(text: str, path: Path, place: Place, faults: list[Fault]) -> Any:
    """Return what the text means, or note why that is not clear.

    The fault does not show the text, since many a variable holds a secret.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[:1] in {"{", "[", '"'}:
        return _json(text, path, place, faults)
    if not _NUMBER.fullmatch(text):
        return text
    try:
        value = json.loads(text)
        if json.dumps(value) == text:
            return value
    except ValueError:
        pass
    faults.append(
        Fault(
            Code.E_VALUE,
            "value is nearly a number and would lose its form",
            path,
            place,
            expected="a number in its plain form, such as 10 or 1.5",
            hint='for a string, quote it inside the value: "…"',
        )
    )
    return None


def _json(text: str, path: Path, place: Place, faults: list[Fault]) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except _TwiceError:
        code, msg = Code.E_DUPKEY, "one key stands twice in an object"
    except (RecursionError, ValueError):
        code, msg = Code.E_SYNTAX, "value begins like JSON but is none"
    hint = 'for a string that begins so, write it as a JSON string: "…"'
    faults.append(Fault(code, msg, path, place, hint=hint))
    return None


def _object(items: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(items)
    if len(value) < len(items):
        raise _TwiceError
    return value
