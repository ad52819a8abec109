"""What the text of a variable means where a value is nothing but that variable.

The rule of the `env` source, so that a value means the same whichever way it comes.
"""

from __future__ import annotations

import json
import re
from typing import Any

from midflight.errors import Code, Fault, Path

_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None}


class _TwiceError(ValueError):
    """One key stands twice in an object."""


def value_of(text: str, name: str, path: Path, faults: list[Fault]) -> Any:
    """Return what the text means, or note why that is not clear.

    Args:
        text: the value of the variable, or its default; no fault shows it.
        name: the variable's, for the fault.
        path: where the reference stands.
        faults: takes the fault.
    """
    if text in _WORDS:
        return _WORDS[text]
    code, msg, wanted = Code.E_SYNTAX, "begins like JSON but is none", ""
    try:
        if text[:1] in {"{", "[", '"'}:
            return json.loads(text, object_pairs_hook=_object)
        if not _NUMBER.fullmatch(text):
            return text
        code, msg = Code.E_VALUE, "is nearly a number and would lose its form"
        wanted = "a number in its plain form, such as 10 or 1.5"
        value = json.loads(text)
        if json.dumps(value) == text:
            return value
    except _TwiceError:
        code, msg = Code.E_DUPKEY, "has one key twice in an object"
    except (RecursionError, ValueError):
        pass
    msg = f"value of variable `{name}` {msg}"
    hint = 'for a string, write it as a JSON string in the variable: "…"'
    faults.append(Fault(code, msg, path, expected=wanted, hint=hint))
    return None


def _object(items: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(items)
    if len(value) < len(items):
        raise _TwiceError
    return value
