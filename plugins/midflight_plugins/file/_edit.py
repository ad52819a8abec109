"""Write what changed into the text of a YAML file, and leave the rest as it was.

Only the changed entries of `modules:` take ruamel.yaml's round trip, each by itself;
no other byte is touched. Where that cannot be, the whole text takes it, if it is small.
What came of it may be wrong: it has to be read before it is trusted.
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from midflight import Document, ModuleConfig
from midflight_plugins.file._dump import as_yaml, dumper, quoted
from midflight_plugins.file._incremental import Chunks
from midflight_plugins.file._unit import Unit

_LARGEST = 65_536  # bytes of a text that takes the round trip as a whole: some 0.5 s
_BELOW = r"^( *)[^\s#][^\n]*:[ ]*(?:#[^\n]*)?\n(?:[ ]*(?:#[^\n]*)?\n)*"
_MAPPING = re.compile(_BELOW + r"( +)[^\s#-]", re.MULTILINE)
_LIST = re.compile(_BELOW + r"( *)(- +)\S", re.MULTILINE)
_NOTHING = object()


def edits(unit: Unit, wanted: Document) -> Iterator[bytes]:
    """Yield bytes that may say what is wanted, those that change the least first.

    Args:
        unit: the file as it is, without fault.
        wanted: what it is to say.
    """
    for way in (_by_entries, _as_a_whole):
        data = None
        # Whatever goes wrong, the file can be written anew.
        with contextlib.suppress(Exception):
            data = way(unit, wanted)
        if data is not None:
            yield data


def _by_entries(unit: Unit, wanted: Document) -> bytes | None:
    now, layout = unit.document, unit.layout
    if now is None or layout is None:
        return None
    alike = Document(sections=now.sections).digest
    if alike != Document(sections=wanted.sections).digest:
        return None
    return _entries(unit.data, layout, now.modules, wanted.modules)


def _as_a_whole(unit: Unit, wanted: Document) -> bytes | None:
    if unit.document is None or len(unit.data) > _LARGEST:
        return None
    text, now = unit.data.decode(), unit.document.as_mapping()
    return _round_trip(text, now, wanted.as_mapping()).encode()


# -- entries, each by itself -----------------------------------------------------------

Modules = Mapping[str, ModuleConfig]


def _entries(data: bytes, layout: Chunks, old: Modules, new: Modules) -> bytes | None:
    """Put entries in the place of what they were, and new ones behind others."""
    if [*filter(new.__contains__, old)] != [*filter(old.__contains__, new)]:
        return None
    added, last = {"": ""}, ""  # by the entry that they follow
    for name in new if new.keys() - old.keys() else ():
        if name in old:
            last = name
        else:
            added[last] = added.get(last, "") + _fresh(new[name], layout.indent)
    edges = [*itertools.accumulate(layout.lengths, initial=layout.begin)]
    parts, end = [data[: layout.begin], added[""].encode()], layout.begin
    for row, (name, before) in enumerate(old.items()):
        after = new.get(name)
        same = after is before or (after is not None and after.digest == before.digest)
        if same and name not in added:
            continue
        start, stop = edges[row : row + 2]
        own, rest = _apart(data[start:stop].decode(), layout.indent)
        if after is None:
            own = ""
        elif not same:
            own = _entry(own, before, after)
        parts += [data[end:start], (own + added.get(name, "") + rest).encode()]
        end = stop
    return b"".join([*parts, data[end:]])


def _apart(chunk: str, indent: int) -> tuple[str, str]:
    """Cut an entry from the comments behind it, which are those of the next one."""
    lines = chunk.splitlines(keepends=True)
    at = len(lines)
    while at > 1 and re.match(rf" {{0,{indent}}}(?:#|$)", lines[at - 1]):
        at -= 1
    own = "".join(lines[:at])
    return (own if own.endswith("\n") else f"{own}\n"), "".join(lines[at:])


def _entry(own: str, before: ModuleConfig, after: ModuleConfig) -> str:
    """Return the text of an entry with other values in it."""
    dash = re.match(" *- +", own)
    deep = len(dash[0]) if dash else 0
    body = re.sub(rf"^ {{0,{deep}}}", "", " " * deep + own[deep:], flags=re.MULTILINE)
    made = _round_trip(body, before.as_mapping(), after.as_mapping())
    return own[:deep] + _moved(made, deep)[deep:]


def _fresh(module: ModuleConfig, indent: int) -> str:
    """Return the text of an entry that was not there."""
    made = _moved(as_yaml(module.as_mapping()), indent + 2)
    return f"{' ' * indent}- {made[indent + 2 :]}"


def _moved(text: str, deep: int) -> str:
    return re.sub(r"^(?=[^\n])", " " * deep, text, flags=re.MULTILINE)


# -- values in a text ------------------------------------------------------------------


def _round_trip(text: str, before: Any, after: Any) -> str:
    """Return a text that said one thing and says the other, laid out as it is."""
    yaml, below, items = dumper(), _MAPPING.search(text), _LIST.search(text)
    if below:
        yaml.map_indent = len(below[2]) - len(below[1])
    if items:
        offset = len(items[2]) - len(items[1])
        yaml.sequence_dash_offset = offset
        yaml.sequence_indent = offset + len(items[3])
    whole = yaml.load(text)
    _assign(whole, before, after)
    return as_yaml(whole, yaml)


def _assign(there: Any, before: Any, after: Any) -> None:
    """Change a mapping or list from one value to another; what is alike stays."""
    if isinstance(after, Mapping):
        for key in [key for key in before if key not in after]:
            there.pop(key, None)
        for key, value in after.items():
            if key in there:
                _set(there, key, before.get(key, _NOTHING), value)
            elif before.get(key, _NOTHING) != value:
                there[key] = quoted(value)
        return
    signs = [*map(_sign, before)], [*map(_sign, after)]
    pairs = difflib.SequenceMatcher(None, *signs, autojunk=False)
    for _, a, b, c, d in reversed(pairs.get_opcodes()):
        both = min(b - a, d - c)
        for at in range(both):
            _set(there, a + at, before[a + at], after[c + at])
        for at in range(b - 1, a + both - 1, -1):
            del there[at]
        for at in range(both, d - c):
            there.insert(a + at, quoted(after[c + at]))


def _set(there: Any, key: Any, before: Any, after: Any) -> None:
    if repr(before) == repr(after):
        return
    if isinstance(there[key], Mapping) and not isinstance(after, Mapping):
        before, after = _by_name(before), _by_name(after)  # as `modules:` may stand
    kinds = Mapping, list | tuple
    alike = any(isinstance(before, kind) and isinstance(after, kind) for kind in kinds)
    if alike and after:
        _assign(there[key], before, after)
    else:
        there[key] = quoted(after)


def _by_name(rows: Any) -> Any:
    """Return the entries of `modules:`, the only list at hand, as a mapping."""
    if not isinstance(rows, list):
        return rows
    return {row["name"]: {k: row[k] for k in row if k != "name"} for row in rows}


def _sign(value: Any) -> str:
    """Return what tells a value of a list from the others: its name, if it has one."""
    named = isinstance(value, Mapping) and isinstance(value.get("name"), str)
    return str(value["name"]) if named else repr(value)
