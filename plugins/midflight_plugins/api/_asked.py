"""What a request to look says in its query and headers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from midflight.errors import Code
from midflight_plugins.api._http import Answer, Problem, Request

_YES, _NO = frozenset({"true", "1"}), frozenset({"false", "0", ""})
_DIGITS = 18
_NOT_MODIFIED = 304


def number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """Return a whole number of the query.

    Raises:
        Problem: 400 if it is none, or out of bounds.
    """
    text = request.query.get(name, "")
    if not text:
        return default
    is_one = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    if not is_one or not low <= int(text) <= high:
        detail = f"`{name}` is a whole number from {low} to {high}"
        raise Problem(400, Code.E_VALUE, detail)
    return int(text)


def flag(request: Request, name: str) -> bool:
    """Tell whether the query says yes to something.

    Raises:
        Problem: 400 if it says neither yes nor no.
    """
    text = request.query.get(name, "").lower()
    if text not in _YES | _NO:
        raise Problem(400, Code.E_VALUE, f"`{name}` is true or false")
    return text in _YES


def tagged(request: Request, content: Any, tag: str = "") -> Answer:
    """Answer with an `ETag`, or 304 if the client has just that.

    Args:
        request: what was asked.
        content: plain data.
        tag: in quotes; by default made of the content.
    """
    if not tag:
        text = json.dumps(content, default=str).encode()
        tag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    if has_it(request, tag):
        return Answer(None, _NOT_MODIFIED, {"ETag": tag})
    return Answer(content, headers={"ETag": tag})


def has_it(request: Request, tag: str) -> bool:
    """Tell whether the client says that it has what carries a tag."""
    known = request.headers.get("if-none-match", "").split(",")
    return any(each.strip().removeprefix("W/") in {tag, "*"} for each in known)
