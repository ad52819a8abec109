"""Write what changed into the text of a YAML file, and leave the rest as it was.

Only the changed entries of `modules:` take ruamel.yaml's round trip, each by itself;
no other byte is touched. Where that cannot be, the whole text takes it, if it is small.
What came of it may be wrong: it has to be read before it is trusted.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator, Mapping

from midflight import Document, ModuleConfig
from midflight_plugins.file._dump import as_yaml
from midflight_plugins.file._incremental import Chunks
from midflight_plugins.file._round_trip import round_trip
from midflight_plugins.file._unit import Unit

_LARGEST = 65_536  # bytes that take the round trip at once: some 0.5 s
# What stands before and behind a document is no part of it, and is kept to the byte.
_FRONT = re.compile(
    r"\ufeff?(?:(?:[ ]*(?:#[^\n]*+)?|%[^\n]*+)\r?\n)*---[ ]*(?:#[^\n]*+)?\r?\n|\ufeff?"
)
_BACK = re.compile(
    r"^\.\.\.[ ]*(?:#[^\n]*+)?(?:\r?\n(?:[ ]*(?:#[^\n]*+)?\r?\n)*)?\Z", re.MULTILINE
)
_Modules = Mapping[str, ModuleConfig]

_log = logging.getLogger("midflight.file")


def edits(unit: Unit, wanted: Document) -> Iterator[bytes]:
    """Yield bytes that may say what is wanted, those that change the least first.

    Args:
        unit: the file as it is, without fault.
        wanted: what it is to say.
    """
    for way in (_by_entries, _as_a_whole):
        try:
            data = way(unit, wanted)
        except Exception as exc:  # noqa: BLE001  # the file can be written anew
            _log.debug("%s: not edited in place: %s", unit.name, type(exc).__name__)
            continue
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
    text = unit.data.decode()
    front, back = _FRONT.match(text), _BACK.search(text)
    begin, end = front.end() if front else 0, back.start() if back else len(text)
    body = text[begin:end].replace("\r\n", "\n")
    made = round_trip(body, unit.document.as_mapping(), wanted.as_mapping())
    made = made.replace("\n", "\r\n") if "\r\n" in text else made
    return f"{text[:begin]}{made}{text[end:]}".encode()


# -- entries, each by itself -----------------------------------------------------------


def _entries(data: bytes, layout: Chunks, old: _Modules, new: _Modules) -> bytes | None:
    """Put entries in the place of what they were, and new ones behind others."""
    if [*filter(new.__contains__, old)] != [*filter(old.__contains__, new)]:
        return None
    added, size = _added(old, new, layout.indent), 0
    edges = [*itertools.accumulate(layout.lengths, initial=layout.begin)]
    parts, end = [data[: layout.begin], added.get("", "").encode()], layout.begin
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
            size += stop - start
            if size > _LARGEST:
                return None
            own = _entry(own, before, after)
        parts += [data[end:start], (own + added.get(name, "") + rest).encode()]
        end = stop
    return b"".join([*parts, data[end:]])


def _added(old: _Modules, new: _Modules, indent: int) -> dict[str, str]:
    """Return the text of new entries, by the name of the one that they follow."""
    added: dict[str, str] = {}
    last = ""
    for name in new if new.keys() - old.keys() else ():
        if name in old:
            last = name
        else:
            made = _moved(as_yaml(new[name].as_mapping()), indent + 2)
            fresh = f"{' ' * indent}- {made[indent + 2 :]}"
            added[last] = added.get(last, "") + fresh
    return added


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
    made = round_trip(body, before.as_mapping(), after.as_mapping())
    return own[:deep] + _moved(made, deep)[deep:]


def _moved(text: str, deep: int) -> str:
    return re.sub(r"^(?=[^\n])", " " * deep, text, flags=re.MULTILINE)
