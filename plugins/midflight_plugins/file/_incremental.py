"""Reparse only the entries of `modules:` that an edit touched.

After a full parse of a YAML file its text is cut into head, one chunk for each entry of
a block-style top-level `modules:`, and tail; the cut is kept only if the parser began
each entry where the cut does. When the text changes, head and tail must be the same to
the letter, and every new chunk must be one mapping by itself. Wherever a chunk could
mean something else in the whole, there is no shortcut and the file is parsed in full.
"""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Mapping

import attrs

from midflight import Document, ModuleConfig
from midflight.errors import InvalidConfigurationError
from midflight_plugins.file import _yaml
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._text import Parsed, spot_at

_HEAD = re.compile(r"^modules:[ ]*(?:#.*)?\n(?:[ ]*(?:#.*)?\n)*( *)- ", re.MULTILINE)
_UNSAFE = re.compile("[\t\r\x85\u2028\u2029\ufeff]|^(?:%|---|\\.\\.\\.)", re.MULTILINE)
_MANY = 64  # entries; of a longer list a quarter may be parsed one by one


@attrs.frozen
class Layout:
    """Where the entries of `modules:` stand in a text.

    Args:
        text: the whole text.
        indent: spaces before the dash of each entry.
        starts: offset of the line on which each entry begins.
        end: offset after the last entry.
        modules: the entry of each chunk, in order.
    """

    text: str
    indent: int
    starts: list[int]
    end: int
    modules: list[ModuleConfig]


def cut(parsed: Parsed, document: Document) -> Layout | None:
    """Cut a text that was parsed in full, or return `None` if it cannot be.

    Args:
        parsed: what was parsed, without fault, anchor, alias, merge or tag.
        document: what it gave.
    """
    text, items = parsed.text, parsed.items
    head = _HEAD.search(text)
    if head is None or _UNSAFE.search(text) or len(items) != len(document.modules):
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
    starts = _starts(text, begin, end, indent)
    if starts is None or len(starts) != len(items):
        return None
    line, at = text.count("\n", 0, begin) + 1, begin
    for start, item in zip(starts, items, strict=True):
        line += text.count("\n", at, start)
        at = start
        if item != (line, indent + 3):
            return None
    return Layout(text, indent, starts, end, list(document.modules.values()))


def _starts(text: str, begin: int, end: int, indent: int) -> list[int] | None:
    """Return where each entry begins, or `None` if a line is out of the ordinary."""
    region = text[begin:end]
    space = " " * indent
    odd = rf"^(?!{space}- |{space} +[^ \n]| *(?:#[^\n]*)?$)"
    if re.search(odd, region, re.MULTILINE):
        return None
    dashes = re.finditer(rf"^{space}- ", region, re.MULTILINE)
    starts = [begin + dash.start() for dash in dashes]
    return starts if starts and starts[0] == begin else None


def splice(old: Layout, text: str, limits: Limits, source: str) -> Layout | None:
    """Return the layout of a changed text, or `None` if it must be parsed in full."""
    same = _common_prefix(old.text, text)
    same_after = _common_suffix(old.text, text, same)
    grown = len(text) - len(old.text)
    changed_to = len(old.text) - same_after
    if same < old.starts[0] + old.indent + 2 or changed_to > old.end:
        return None
    # One entry on either side is looked at as well: an edit at its border may join it.
    first = max(bisect.bisect_right(old.starts, same) - 2, 0)
    last = min(bisect.bisect_left(old.starts, changed_to) + 1, len(old.starts))
    begin = old.starts[first]
    old_end = old.starts[last] if last < len(old.starts) else old.end
    end = old_end + grown
    if end < begin or (end < len(text) and text[end - 1 : end] != "\n"):
        return None
    # What is outside of these lines was looked at when it was cut.
    starts = _starts(text, begin, end, old.indent)
    if starts is None or _UNSAFE.search(text[begin:end]):
        return None
    edges = zip(starts, [*starts[1:], end], strict=True)
    modules = _modules([text[a:b] for a, b in edges], old, first, last, limits, source)
    if modules is None:
        return None
    moved = [start + grown for start in old.starts[last:]]
    return Layout(
        text,
        old.indent,
        [*old.starts[:first], *starts, *moved],
        old.end + grown,
        [*old.modules[:first], *modules, *old.modules[last:]],
    )


def _modules(
    chunks: list[str], old: Layout, first: int, last: int, limits: Limits, source: str
) -> list[ModuleConfig] | None:
    """Return the entry of each chunk; what stood there before is not parsed again."""
    edges = [
        *old.starts[first:last],
        old.starts[last] if last < len(old.starts) else old.end,
    ]
    known = {
        old.text[a:b]: module
        for a, b, module in zip(edges, edges[1:], old.modules[first:last], strict=False)
    }
    most = max(_MANY, len(old.modules) // 4)
    if sum(chunk not in known for chunk in chunks) > most:
        return None
    modules: list[ModuleConfig] = []
    for chunk in chunks:
        module = known.get(chunk) or _module(chunk, limits, source)
        if module is None:
            return None
        modules.append(module)
    return modules


def _module(chunk: str, limits: Limits, source: str) -> ModuleConfig | None:
    # In the whole the entry stands one level deeper.
    inner = attrs.evolve(limits, max_depth=limits.max_depth - 1)
    parsed = _yaml.parse(chunk, source, inner)
    value = parsed.value
    if parsed.faults or not (parsed.complete and parsed.plain):
        return None
    if not (
        isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping)
    ):
        return None
    try:
        document = Document.from_mapping({"modules": value})
    except InvalidConfigurationError:
        return None
    return next(iter(document.modules.values()))


def _common_prefix(one: str, other: str) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(one: str, other: str, prefix: int) -> int:
    low, high = 0, min(len(one), len(other)) - prefix
    while low < high:
        middle = (low + high + 1) // 2
        ends = len(one) - low, len(other) - low
        if one[len(one) - middle : ends[0]] == other[len(other) - middle : ends[1]]:
            low = middle
        else:
            high = middle - 1
    return low


def enabled() -> bool:
    """Tell whether the shortcut may be taken; an environment variable turns it off."""
    return os.environ.get("MIDFLIGHT_FULL_PARSE", "") in ("", "0")
