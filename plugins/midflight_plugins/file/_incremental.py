"""Read only the entries of `modules:` that an edit touched.

After a full parse the bytes of a file are cut into head, one chunk for each entry, and
tail. When the bytes change, head and tail must be the same to the byte, and every new
chunk must be one entry by itself. Wherever a chunk could mean something else in the
whole, there is no shortcut and the file is parsed in full. How each format is cut, and
what is refused there, is in `_cut_yaml`, `_cut_json` and `_cut_toml`.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from midflight import Document, ModuleConfig
from midflight.errors import InvalidConfigurationError, Path
from midflight_plugins.file import _cut_json, _cut_toml, _cut_yaml
from midflight_plugins.file._ends import common_prefix, common_suffix
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._text import Parsed, Spot, decode

_MANY = 64  # entries; of a longer list a quarter may be parsed one by one
_BOM = b"\xef\xbb\xbf"
_CONTAINERS = 1_000_000  # mappings and lists; the core refuses a document with more
_OPENS = b"[{:-?."  # one of these stands where a mapping or list begins

# Each has `cut`, `split` and `read`, which return `None` if in doubt, and `spots`.
_CUTTERS: dict[str, Any] = {
    ".yaml": _cut_yaml,
    ".yml": _cut_yaml,
    ".json": _cut_json,
    ".toml": _cut_toml,
}


@attrs.frozen
class Chunks:
    """Where the entries of `modules:` stand in the bytes of a file.

    Args:
        indent: spaces before the dash of each entry, in YAML.
        begin: offset of the first chunk.
        lengths: bytes of each chunk: an edit leaves those behind it as they are.
        end: offset after the last chunk.
        spare: how many more mappings and lists there may be, at least.
    """

    indent: int
    begin: int
    lengths: array[int]
    end: int
    spare: int

    @classmethod
    def of(cls, indent: int, begin: int, lengths: Iterable[int], data: bytes) -> Chunks:
        """Return the chunks of a file's bytes, whose lengths are known."""
        sizes = array("I", lengths)
        spare = _CONTAINERS - _opened(data)
        return cls(indent, begin, sizes, begin + sum(sizes), spare)

    def locate(self, offset: int) -> tuple[int, int]:
        """Return which chunk holds an offset, and where it begins: by sums of halves.

        Offsets before the first chunk are in the first, those behind it in the last.
        """
        lengths, at, start = self.lengths, 0, self.begin
        step = 1 << len(lengths).bit_length()
        while step := step >> 1:
            if at + step < len(lengths):
                size = sum(lengths[at : at + step])
                if start + size <= offset:
                    at, start = at + step, start + size
        return at, start


@attrs.frozen
class Splice:
    """What takes the place of some entries.

    Args:
        chunks: those of the new bytes.
        first: position of the first entry that is replaced.
        modules: the entries that stand there now.
        before: those that stood there.
    """

    chunks: Chunks
    first: int
    modules: list[ModuleConfig]
    before: list[ModuleConfig]

    def onto(self, modules: Mapping[str, ModuleConfig]) -> Any:
        """Return all modules with the new entries in place, or `None` if names clash.

        Only the changed ones are looked at; the others are copied in one go.
        """
        freeze: Any = type(modules)
        old = {module.name: module for module in self.before}
        new = {module.name: module for module in self.modules}
        if list(new) == list(old) and len(new) == len(self.modules):
            changed = {n: module for n, module in new.items() if module is not old[n]}
            return freeze(modules, **changed) if changed else modules
        if len(new) != len(self.modules):
            return None
        if any(name in modules and name not in old for name in new):
            return None
        there = slice(self.first, self.first + len(self.before))
        names, values = list(modules), list(modules.values())
        names[there], values[there] = list(new), self.modules
        return freeze(zip(names, values, strict=True))


def cut(parsed: Parsed, data: bytes, count: int, form: str) -> Chunks | None:
    """Cut bytes that were parsed in full, or return `None` if they cannot be.

    Args:
        parsed: what was parsed, without fault.
        data: the bytes.
        count: how many modules they gave.
        form: the suffix that says how they are read.
    """
    found = _CUTTERS[form].cut(parsed, count)
    if found is None:
        return None
    indent, edges = found
    text, begin = parsed.text, edges[0]
    pairs = itertools.pairwise(edges)
    if text.isascii():
        lengths = [end - start for start, end in pairs]
    else:
        lengths = [len(text[start:end].encode()) for start, end in pairs]
        begin = len(text[:begin].encode())
    begin += len(_BOM) if data.startswith(_BOM) else 0
    return Chunks.of(indent, begin, lengths, data)


def splice(
    old: Chunks,
    before: bytes,
    after: bytes,
    modules: Mapping[str, ModuleConfig],
    form: str,
    limits: Limits,
) -> Splice | None:
    """Read what changed between two versions, or return `None` to have all parsed.

    Args:
        old: the chunks of the version before.
        before: its bytes.
        after: the bytes now.
        modules: what the version before gave.
        form: the suffix that says how they are read.
        limits: the bounds they are read under.
    """
    # What could be counted at either end is left to the tail: it has to be whole.
    least = min(len(before), len(after)) - (len(before) - old.end)
    same = min(common_prefix(before, after), least)
    if same < old.begin:
        return None
    changed_to = len(before) - common_suffix(before, after, same)
    grown = len(after) - len(before)
    if changed_to > old.end:
        return None
    first, begin, last, end = _window(old, same, changed_to)
    window = after[begin : end + grown]
    pieces = _pieces(window, old.indent, form, first=first == 0)
    if pieces is None or not _ends_well(after, end + grown, form):
        return None
    was = list(modules.values())[first:last]
    spare = old.spare + _opened(before[begin:end]) - _opened(window)
    edges = itertools.accumulate(old.lengths[first:last], initial=begin)
    known = {
        before[a:b]: module
        for (a, b), module in zip(itertools.pairwise(edges), was, strict=True)
    }
    fresh = sum(piece not in known for piece in pieces)
    if spare < 0 or fresh > max(_MANY, len(modules) // 4):
        return None
    now: list[ModuleConfig] = []
    for piece in pieces:
        module = known.get(piece) or _module(piece.decode(), form, limits)
        if module is None:
            return None
        now.append(module)
    sizes = array("I", map(len, pieces))
    lengths = old.lengths[:first] + sizes + old.lengths[last:]
    chunks = Chunks(old.indent, old.begin, lengths, old.end + grown, spare)
    return Splice(chunks, first, now, was)


def _window(old: Chunks, same: int, changed_to: int) -> tuple[int, int, int, int]:
    """Return the chunks that a change may touch: first, begin, after the last, end.

    One on either side is looked at as well: an edit at its border may join it.
    """
    first, begin = old.locate(same)
    last, end = first, begin
    while end < changed_to:
        end += old.lengths[last]
        last += 1
    if last < len(old.lengths):
        end += old.lengths[last]
        last += 1
    if first:
        first -= 1
        begin -= old.lengths[first]
    return first, begin, last, end


def _pieces(
    window: bytes, indent: int, form: str, *, first: bool
) -> list[bytes] | None:
    """Split changed bytes into chunks."""
    # A mark of byte order is taken off where it stands first: here it is a character.
    if window.startswith(_BOM):
        return None
    text = decode(window, "", [])
    if text is None:
        return None
    chunks = _CUTTERS[form].split(text, indent, first=first)
    return None if chunks is None else [chunk.encode() for chunk in chunks]


def _ends_well(data: bytes, end: int, form: str) -> bool:
    """Tell whether what follows a window still begins where it did."""
    return form == ".json" or end == len(data) or data[end - 1 : end] == b"\n"


def _module(chunk: str, form: str, limits: Limits) -> ModuleConfig | None:
    """Return the one entry that a chunk is by itself."""
    entries = _CUTTERS[form].read(chunk, limits)
    if entries is None or len(entries) != 1 or not isinstance(entries[0], Mapping):
        return None
    try:
        document = Document.from_mapping({"modules": entries})
    except InvalidConfigurationError:
        return None
    return next(iter(document.modules.values()))


def spots(
    chunks: Chunks, data: bytes, row: int, form: str, limits: Limits
) -> dict[Path, Spot]:
    """Return where each path below one entry begins, from its own text.

    Args:
        chunks: those of the bytes.
        data: the bytes.
        row: which entry.
        form: the suffix that says how they are read.
        limits: the bounds they are read under.
    """
    start = chunks.begin + sum(chunks.lengths[:row])
    line = data.count(b"\n", 0, start)
    beside = data[data.rfind(b"\n", 0, start) + 1 : start].decode("utf-8-sig")
    chunk = data[start : start + chunks.lengths[row]].decode()
    found = _CUTTERS[form].spots(chunk, limits).items()
    return {
        path: (line + spot[0], spot[1] + (len(beside) if spot[0] == 1 else 0))
        for path, spot in found
    }


def _opened(data: bytes) -> int:
    """Return how many mappings and lists bytes may hold at most."""
    return len(data) - len(data.translate(None, _OPENS))
