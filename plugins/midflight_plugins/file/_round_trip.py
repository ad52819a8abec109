"""Change values in a YAML text by ruamel.yaml's round trip, and keep its layout."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from midflight_plugins.file._dump import as_yaml, dumper, quoted

_MOST = 64  # values of a list that are compared each with each
_NOTE = r"[ ]*(?:#[^\n]*)?\n"
_BELOW = rf"^( *)[^\s#](?:[^\n:]|:(?!{_NOTE}))*:{_NOTE}(?:{_NOTE})*"
_MAPPING = re.compile(_BELOW + r"(?P<key>\1 +)[^\s#-]", re.MULTILINE)
_LIST = re.compile(_BELOW + r"(?P<dash> *)(?P<item>- +)\S", re.MULTILINE)
_NOTHING = object()


def round_trip(text: str, before: Any, after: Any) -> str:
    """Return a text that said one thing and says the other, laid out as it is.

    Args:
        text: a mapping, in block or flow style.
        before: what it says.
        after: what it is to say.
    """
    yaml, below, items = dumper(), _MAPPING.search(text), _LIST.search(text)
    if below:
        yaml.map_indent = len(below["key"]) - len(below[1])
    if items:
        yaml.sequence_dash_offset = len(items["dash"]) - len(items[1])
        yaml.sequence_indent = yaml.sequence_dash_offset + len(items["item"])
    whole = yaml.load(text)
    _change_mapping(whole, before, after)
    return as_yaml(whole, yaml)


def _change_mapping(there: Any, before: Any, after: Any) -> None:
    for key in [key for key in before if key not in after]:
        there.pop(key, None)
    for key, value in after.items():
        if key in there:
            _set(there, key, before.get(key, _NOTHING), value)
        elif before.get(key, _NOTHING) != value:
            there[key] = quoted(value)


def _change_list(there: Any, before: Sequence[Any], after: Sequence[Any]) -> None:
    for a, b, c, d in _runs([*map(_likeness, before)], [*map(_likeness, after)]):
        both = min(b - a, d - c)
        for at in range(both):
            _set(there, a + at, before[a + at], after[c + at])
        for at in range(b - 1, a + both - 1, -1):
            del there[at]
        for at in range(both, d - c):
            there.insert(a + at, quoted(after[c + at]))


def _runs(old: list[str], new: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield which values take whose place, last first; long lists row by row."""
    least, ahead, behind = min(len(old), len(new)), 0, 0
    while ahead < least and old[ahead] == new[ahead]:
        ahead += 1
    while behind < least - ahead and old[-1 - behind] == new[-1 - behind]:
        behind += 1
    b, d = len(old) - behind, len(new) - behind
    yield b, len(old), d, len(new)
    if max(b, d) - ahead > _MOST:
        yield ahead, b, ahead, d
    else:
        middle = old[ahead:b], new[ahead:d]
        pairs = difflib.SequenceMatcher(None, *middle, autojunk=False)
        for _, *run in reversed(pairs.get_opcodes()):
            a, b, c, d = (each + ahead for each in run)
            yield a, b, c, d
    yield 0, ahead, 0, ahead


def _set(there: Any, key: Any, before: Any, after: Any) -> None:
    if isinstance(there[key], Mapping) and not isinstance(after, Mapping):
        before, after = _modules_by_name(before), _modules_by_name(after)
    written = there[key] is not None  # `config:` alone means one that is empty
    both = (before, after) if after and written else ()
    if both and all(isinstance(each, Mapping) for each in both):
        _change_mapping(there[key], before, after)
    elif both and all(isinstance(each, list | tuple) for each in both):
        _change_list(there[key], before, after)
    elif before != after or repr(before) != repr(after):  # 0.0 is not -0.0
        there[key] = quoted(after)


def _modules_by_name(rows: Any) -> Any:
    """Return the entries of `modules:` as a mapping, which is how they may stand."""
    if not isinstance(rows, list):
        return rows
    return {row["name"]: {k: row[k] for k in row if k != "name"} for row in rows}


def _likeness(value: Any) -> str:
    """Return what tells a value of a list from the others: its name, if it has one."""
    named = isinstance(value, Mapping) and isinstance(value.get("name"), str)
    return str(value["name"]) if named else repr(value)
