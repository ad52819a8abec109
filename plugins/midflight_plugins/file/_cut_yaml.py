"""Cut YAML before each entry of a block-style top-level `modules:`.

The cut is kept only if the parser began each entry where the cut does, and saw the keys
before and behind the list where the cut sees them.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import Any

import attrs

from midflight.errors import Path
from midflight_plugins.file import _yaml
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._text import Parsed, Spot, spot_at

_HEAD = re.compile(r"^modules:[ ]*(?:#.*)?\n(?:[ ]*(?:#.*)?\n)*( *)- ", re.MULTILINE)
_UNSAFE = re.compile("[\t\r\x85\u2028\u2029\ufeff]|^(?:%|---|\\.\\.\\.)", re.MULTILINE)
# A block that begins with an empty line is judged by the line after the entry, too.
# The first header of a line decides. Not possessive: Python 3.11.2 then skips matches.
_BLANK = re.compile(
    r"^(?:(?![|>][-+0-9]*[ ]*(?:#|\n))[^\n])*"
    r"[|>][-+0-9]*[ ]*(?:#[^\n]*)?\n[ ]*(?:\n|\Z)",
    re.MULTILINE,
)


def cut(parsed: Parsed, count: int) -> tuple[int, list[int]] | None:
    """Return how deep the dashes stand, and the offsets between the entries.

    Args:
        parsed: what was parsed, without fault.
        count: how many modules it gave.
    """
    text, items = parsed.text, parsed.items
    head = _HEAD.search(text)
    if head is None or _UNSAFE.search(text) or len(items) != count:
        return None
    if not parsed.plain:
        return None
    indent = len(head.group(1))
    begin = head.end() - indent - 2
    other = r"^(?!- )[^ #\n]" if indent == 0 else r"^[^ #\n]"
    tail = re.compile(other, re.MULTILINE).search(text, begin)
    end = tail.start() if tail else len(text)
    keys = list(parsed.keys)
    after = keys[keys.index("modules") + 1 :] if "modules" in keys else []
    if parsed.keys.get("modules") != spot_at(text, head.start()):
        return None
    if (parsed.keys[after[0]] if after else None) != (tail and spot_at(text, end)):
        return None
    starts = _starts(text[begin:end], indent)
    if starts is None or len(starts) != len(items):
        return None
    edges = [begin + start for start in starts]
    line, at = text.count("\n", 0, begin) + 1, begin
    for start, item in zip(edges, items, strict=True):
        line += text.count("\n", at, start)
        at = start
        if item != (line, indent + 3):
            return None
    return indent, [*edges, end]


def _starts(region: str, indent: int) -> list[int] | None:
    """Return where each entry begins, or `None` if a line is out of the ordinary."""
    odd, dash = _lines(indent)
    if odd.search(region):
        return None
    starts = [found.start() for found in dash.finditer(region)]
    return starts if starts and starts[0] == 0 else None


@functools.lru_cache(64)
def _lines(indent: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds a line out of the ordinary, and what finds an entry's first."""
    space = " " * indent
    odd = rf"^(?!{space}- |{space} +[^ \n]| *(?:#[^\n]*)?$)"
    return re.compile(odd, re.MULTILINE), re.compile(rf"^{space}- ", re.MULTILINE)


def split(window: str, indent: int, *, first: bool) -> list[str] | None:  # noqa: ARG001  # as of every format
    """Split changed lines before each dash; see `cut`."""
    starts = _starts(window, indent)
    if starts is None or _UNSAFE.search(window) or _BLANK.search(window):
        return None
    edges = itertools.pairwise([*starts, len(window)])
    return [window[start:end] for start, end in edges]


def read(chunk: str, limits: Limits) -> list[Any] | None:
    """Return the entries of a chunk, or `None` if not all of it is plain and good."""
    parsed = _yaml.parse(chunk, "", _inside(limits))
    if parsed.faults or not (parsed.complete and parsed.plain):
        return None
    return parsed.value if isinstance(parsed.value, list) else None


def spots(chunk: str, limits: Limits) -> dict[Path, Spot]:
    """Return where each path below the entry begins, counted from the chunk."""
    found = _yaml.parse(chunk, "", _inside(limits), record=True).spots
    return {path[1:]: spot for path, spot in found.items() if path}


@functools.lru_cache(8)
def _inside(limits: Limits) -> Limits:
    """In the whole an entry stands one level deeper."""
    return attrs.evolve(limits, max_depth=limits.max_depth - 1)
