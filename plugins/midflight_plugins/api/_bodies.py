"""Reads the bodies of requests: JSON in the strict sense, and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from midflight.errors import Code
from midflight_plugins.api._data import MASK
from midflight_plugins.api._http import Problem, Request

LARGEST = 1 << 20  # bytes
_DEEPEST = 64
_JSON, _MERGE = "application/json", "application/merge-patch+json"
_MARK = "$patch"


def body_of(
    request: Request, *, optional: bool = False, merges: bool = False
) -> dict[str, Any]:
    """Return the JSON object that a request brings.

    Args:
        request: what is asked.
        optional: whether it may bring nothing, which is an empty object.
        merges: whether it may be called a merge patch.

    Raises:
        Problem: 413 if it is too large, 415 if it is compressed or no JSON by its
            type, 400 if it is not one JSON object.
    """
    if len(request.body) > LARGEST:
        detail = f"the body is larger than {LARGEST:,} bytes"
        raise Problem(413, Code.E_SIZE, detail)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, Code.E_FORMAT, "send the body without a Content-Encoding")
    if optional and not request.body:
        return {}
    _check_type(request.headers.get("content-type", ""), merges=merges)
    value = parsed(request.body)
    if not isinstance(value, dict):
        raise Problem(400, Code.E_TOPLEVEL, "the body is not a JSON object")
    return value


def _check_type(text: str, *, merges: bool) -> None:
    kind, _, rest = text.partition(";")
    known = {_JSON, _MERGE} if merges else {_JSON}
    charset = rest.replace(" ", "").replace('"', "").lower()
    if kind.strip().lower() not in known or charset not in {"", "charset=utf-8"}:
        detail = f"the body is JSON: send `Content-Type: {_JSON}`"
        raise Problem(415, Code.E_FORMAT, detail)


def parsed(data: bytes) -> Any:
    """Read one JSON value, and refuse whatever two readers could read differently.

    Raises:
        Problem: 400, with the place if there is one.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        detail = f"byte {exc.start + 1} of the body is not UTF-8"
        raise Problem(400, Code.E_ENCODING, detail) from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        detail = f"the body is no JSON: {exc.msg.lower()}"
        place = {"line": exc.lineno, "column": exc.colno}
        raise Problem(400, Code.E_SYNTAX, detail, more=place) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # an integer of more digits than Python reads
        raise Problem(400, Code.E_RANGE, "a number has too many digits") from None
    _check_values(value)
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # on purpose
        detail = f"the key `{twice[:63]}` stands twice in one object"
        raise Problem(400, Code.E_DUPKEY, detail)
    return found


def _constant(word: str) -> NoReturn:
    raise Problem(400, Code.E_NONFINITE, f"`{word}` is not a number of JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def _check_values(value: Any) -> None:
    """Refuse numbers that are none, and what is nested too deep."""
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
            elif isinstance(each, float) and not math.isfinite(each):
                raise Problem(400, Code.E_NONFINITE, "a number is out of range")
        level, depth = below, depth + 1
        if depth > _DEEPEST and any(isinstance(each, dict | list) for each in level):
            raise _too_deep()


def _too_deep() -> Problem:
    detail = f"the body is nested deeper than {_DEEPEST} levels"
    return Problem(400, Code.E_DEPTH, detail)


# -- what a body may say -------------------------------------------------------------


def check_keys(body: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse a member that no route reads.

    Raises:
        Problem: 422, naming it.
    """
    names = tuple(known)
    for key in body:
        if key not in names:
            words = ", ".join(f"`{each}`" for each in names)
            raise Problem(422, Code.E_UNKNOWN, f"`{key[:63]}` is not one of {words}")


def text_in(body: Mapping[str, Any], key: str, most: int = 500) -> str:
    """Return a text of a body, empty if it is not there.

    Raises:
        Problem: 422 if it is none, or longer than `most` characters.
    """
    value = body.get(key, "")
    if not isinstance(value, str) or len(value) > most:
        detail = f"`{key}` is a text of at most {most} characters"
        raise Problem(422, Code.E_TYPE, detail)
    return value


def check_plain(value: Any, *, marks: bool = False) -> None:
    """Refuse what stands for something else: a masked secret, a mark of layers.

    Args:
        value: what somebody wants to be stored.
        marks: whether `$patch` is allowed.

    Raises:
        Problem: 422.
    """
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, str) and MASK in each:
            detail = (
                f"`{MASK}` stands for a secret that is not shown, and is never stored; "
                "send a reference, or leave it out (PATCH)"
            )
            raise Problem(422, Code.E_SECRET, detail)
        if isinstance(each, list):
            stack.extend(each)
        elif isinstance(each, dict):
            stack.extend(each.values())
            if _MARK in each and not marks:
                detail = f"`{_MARK}` is a mark of layers, and no part of a value"
                raise Problem(422, Code.E_VALUE, detail)
