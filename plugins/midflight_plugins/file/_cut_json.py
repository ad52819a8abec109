"""Cut JSON behind each element of a top-level array `modules`.

A chunk is the mark before an element, `[` or a comma, and the element, which is an
object: it ends with its own brace, whatever follows. So what a parser knows at a cut is
always the same.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import attrs

from midflight.errors import Path
from midflight_plugins.file import _json
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._text import Parsed, Spot

_MARK = re.compile(r"[ \t\n\r]*([{\[\]:,])[ \t\n\r]*")


@functools.cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder()


def cut(parsed: Parsed, count: int) -> tuple[int, list[int]] | None:
    """Return 0, and the offsets between the elements; see `_cut_yaml.cut`."""
    text = parsed.text
    begin = _array(text) if count else None
    edges = [] if begin is None else [begin]
    for _ in range(count if edges else 0):
        end = _element(text, edges[-1], first=len(edges) == 1)
        if end is None:
            return None
        edges.append(end)
    return (0, edges) if edges else None


def _array(text: str) -> int | None:
    """Return the offset of what `modules` is; the text is good."""
    scan, mark = _decoder().raw_decode, _MARK.match(text)
    while mark is not None and mark[1] in "{,":
        key, end = scan(text, mark.end())
        colon = _MARK.match(text, end)
        if colon is None or key == "modules":
            return colon and colon.end()
        mark = _MARK.match(text, scan(text, colon.end())[1])
    return None


def _element(text: str, begin: int, *, first: bool) -> int | None:
    """Return where the element of a chunk ends, or `None` if it is no object."""
    mark = _MARK.match(text, begin)
    if mark is None or mark[1] != ("[" if first else ","):
        return None
    if first and mark.start(1) != begin:
        return None
    if not text.startswith("{", mark.end()):
        return None
    try:
        return _decoder().raw_decode(text, mark.end())[1]
    except (ValueError, RecursionError):
        return None


def split(window: str, indent: int, *, first: bool) -> list[str] | None:  # noqa: ARG001  # as of every format
    """Split changed text behind each element; see `cut`."""
    chunks: list[str] = []
    at = 0
    while at < len(window):
        end = _element(window, at, first=first and not chunks)
        if end is None:
            return None
        chunks.append(window[at:end])
        at = end
    return chunks


def read(chunk: str, limits: Limits) -> list[Any] | None:
    """Return the element of a chunk in a list, read as strictly as a whole file."""
    parsed = _json.parse(_array_of(chunk), "", _inside(limits))
    good = parsed.complete and not parsed.faults
    return parsed.value if good else None


def spots(chunk: str, limits: Limits) -> dict[Path, Spot]:
    """Return where each path below the element begins, counted from the chunk."""
    found = _json.parse(_array_of(chunk), "", _inside(limits), record=True).spots
    return {path[1:]: spot for path, spot in found.items() if path}


@functools.lru_cache(8)
def _inside(limits: Limits) -> Limits:
    """In the whole the array stands one level deeper."""
    return attrs.evolve(limits, max_depth=limits.max_depth - 1)


def _array_of(chunk: str) -> str:
    comma = chunk.lstrip().startswith(",")
    return (chunk.replace(",", "[", 1) if comma else chunk) + "]"
