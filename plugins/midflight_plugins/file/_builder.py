"""Build values from a stream of YAML events, in one pass and without recursion.

Depth, aliases and merges are counted while the events come in, so that nothing large
is ever built from something small.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import attrs

from midflight.errors import Code, Fault, Path, Place, shown
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._scalars import Surprise, Words, resolve
from midflight_plugins.file._text import Parsed, Spot, hides

_CORE = "tag:yaml.org,2002:"
_FREE_EXPANSION = 10_000
_EXPANSION_FACTOR = 20


class Refused(Exception):  # noqa: N818  # control flow: the fault is already noted
    """Reading stops here; the faults so far are noted."""


class _Merge:
    """Stands for the key `<<`."""


_MERGE = _Merge()


@attrs.define(eq=False)
class _Frame:
    """One mapping or list that is still open."""

    value: Any
    mark: Any
    anchor: str | None
    mapping: bool
    key: Any = None
    key_mark: Any = None
    expects_key: bool = True
    nodes: int = 1
    marks: dict[Hashable, Any] = attrs.field(factory=dict)
    merged: list[Any] = attrs.field(factory=list)


class Builder:
    """Turns the events of one document into a value.

    Args:
        source: the file, as places name it.
        limits: bounds on depth and aliases.
        record: whether to note the place of every path.
    """

    def __init__(self, source: str, limits: Limits, *, record: bool = False) -> None:
        self.parsed = Parsed()
        self.documents = 0
        self.parsed.plain = True
        self._source, self._limits, self._record = source, limits, record
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._words = Words()
        self._nodes = 0
        self._added = 0

    def place(self, mark: Any) -> Place:
        """Return the place of a mark."""
        return Place(self._source, *self.spot(mark))

    def spot(self, mark: Any) -> Spot:
        """Return line and column of a mark."""
        return mark.line + 1, mark.column + 1

    def fault(self, code: Code, message: str, mark: Any, **rest: str) -> None:
        """Note a fault at a mark, below the keys that are open."""
        fault = Fault(code, message, self._path(), self.place(mark), **rest)
        self.parsed.faults.append(fault)
        if len(self.parsed.faults) >= self._limits.max_faults:
            raise Refused

    def innermost(self) -> Any:
        """Return the mark of the innermost mapping or list still open, or `None`."""
        return self._stack[-1].mark if self._stack else None

    def _path(self) -> Path:
        return tuple(
            frame.key if isinstance(frame.key, str | int) else str(frame.key)
            for frame in self._stack
            if frame.key is not None and frame.key is not _MERGE
        )

    # -- events ------------------------------------------------------------------

    def scalar(self, event: Any) -> None:
        """Take a scalar: a key or a value."""
        text, mark = event.value, event.start_mark
        self._nodes += 1
        if self._expects_key() and event.ctag is None:
            plain = not event.style
            if plain and text == "<<":
                self._key(_MERGE, mark)
            else:
                value = self._words.plain(text) if plain else self._words.quoted(text)
                # As a key, a surprising word is what it says; only numbers are not.
                odd = isinstance(value, Surprise)
                self._key(text if odd else value, mark)
            if event.anchor:
                self._anchor(event.anchor, text, 1)
            return
        value = self._scalar_value(event, text, mark)
        nodes = 1 + len(text) // 64
        if not (text or event.style or event.anchor or event.ctag) and self._stack:
            # Nothing is there: parsers differ about where, so it is where its key is.
            mark = self._stack[-1].key_mark or mark
        if event.anchor:
            self._anchor(event.anchor, value, nodes)
        self._put(value, mark, nodes)

    def _scalar_value(self, event: Any, text: str, mark: Any) -> Any:
        tag = event.ctag
        if tag is not None:
            return self._tagged(str(tag), text, mark)
        if event.style:
            return self._words.quoted(text)
        value = self._words.plain(text)
        if isinstance(value, Surprise):
            self._surprised(value, text, mark)
            return text
        return value

    def _surprised(self, odd: Surprise, text: str, mark: Any) -> None:
        secret = hides(self._path())
        self.fault(
            odd.code,
            odd.message,
            mark,
            found="" if secret else shown(text),
            expected=odd.expected,
            hint="quote it" if secret else odd.hint,
        )

    def _tagged(self, tag: str, text: str, mark: Any) -> Any:
        """Honour the tags of the core schema; refuse every other."""
        self.parsed.plain = False
        kind = tag.removeprefix(_CORE)
        if tag in ("!", f"{_CORE}str"):
            return text
        kinds: dict[str, tuple[type, ...]] = {
            "int": (int,),
            "float": (float, int),
            "bool": (bool,),
            "null": (type(None),),
        }
        if kind == tag or kind not in kinds:
            self._custom_tag(tag, mark)
            return text
        value = resolve(text)
        if isinstance(value, Surprise):
            self._surprised(value, text, mark)
            return text
        if type(value) not in kinds[kind]:
            msg = f"value does not fit its tag `!!{kind}`"
            found = "" if hides(self._path()) else shown(text)
            self.fault(Code.E_TYPE, msg, mark, found=found)
            return text
        return float(value) if kind == "float" else value

    def _custom_tag(self, tag: str, mark: Any) -> None:
        short = tag.replace(_CORE, "!!") if tag.startswith(_CORE) else tag
        self.fault(
            Code.E_TAG,
            "tags are not allowed",
            mark,
            found=short[:60],
            expected="a plain value, or one of !!str !!int !!float !!bool !!null",
            hint="remove the tag: data never becomes code",
        )

    def alias(self, event: Any) -> None:
        """Take an alias: the value of its anchor, counted as if written out."""
        name, mark = event.anchor, event.start_mark
        self.parsed.plain = False
        self._nodes += 1
        if any(frame.anchor == name for frame in self._stack):
            msg = f"alias `*{name}` stands inside its own anchor"
            hint = "write the inner value out"
            self.fault(Code.E_CYCLE, msg, mark, found=f"*{name}", hint=hint)
            self._key_or_value(None, mark, 1)
            return
        if name not in self._anchors:
            name = "…" if hides(self._path()) else name
            msg = f"alias `*{name}` has no anchor before it"
            hint = f"write `&{name}` before the value it stands for, or quote it"
            self.fault(Code.E_SYNTAX, msg, mark, found=f"*{name}", hint=hint)
            self._key_or_value(None, mark, 1)
            return
        value, nodes = self._anchors[name]
        self._added += nodes
        grown = _FREE_EXPANSION + _EXPANSION_FACTOR * self._nodes
        if self._added > min(grown, self._limits.max_aliases):
            merging = self._in_merge()
            what = "merges stand" if merging else "aliases stand"
            self.fault(
                Code.E_MERGE if merging else Code.E_ALIAS,
                f"{what} for too many values",
                mark,
                found=f"{self._added} values from {self._nodes}",
                expected=f"at most {min(grown, self._limits.max_aliases)}",
                hint="write the values out",
            )
            raise Refused
        self._key_or_value(value, mark, nodes)

    def _in_merge(self) -> bool:
        return any(frame.key is _MERGE for frame in self._stack)

    def _key_or_value(self, value: Any, mark: Any, nodes: int) -> None:
        if self._expects_key():
            self._key(value, mark)
        else:
            self._put(value, mark, nodes)

    def open(self, event: Any, *, mapping: bool) -> None:
        """Take the start of a mapping or list."""
        mark = event.start_mark
        self._nodes += 1
        if event.ctag is not None:
            tag = str(event.ctag)
            self.parsed.plain = False
            if tag not in ("!", _CORE + ("map" if mapping else "seq")):
                self._custom_tag(tag, mark)
        if self._expects_key():
            self._key_fault("a mapping or list as a key", mark)
            raise Refused
        if self._record and not self._in_merge():
            self.parsed.spots.setdefault(self._path(), self.spot(mark))
        if len(self._stack) == 2 and self._stack[0].key == "modules":  # noqa: PLR2004  # an entry of the top level
            self.parsed.items.append(self.spot(mark))
        if len(self._stack) >= self._limits.max_depth:
            msg = f"nested deeper than {self._limits.max_depth} levels"
            place, path = self.place(mark), self._path()[:8]
            self.parsed.faults.append(Fault(Code.E_DEPTH, msg, path, place))
            raise Refused
        if event.anchor:
            self._anchors.pop(event.anchor, None)
            self.parsed.plain = False
        value: Any = {} if mapping else []
        frame = _Frame(value, mark, event.anchor, mapping)
        if not mapping:
            frame.key = 0
        self._stack.append(frame)

    def close(self) -> None:
        """Take the end of a mapping or list."""
        frame = self._stack.pop()
        for source in reversed(frame.merged):
            # The last definition loses: keys of the mapping itself are there already.
            for key, value in source.items():
                frame.value.setdefault(key, value)
        if frame.anchor:
            self._anchor(frame.anchor, frame.value, frame.nodes)
        if not self._stack and frame.mapping:
            marks = frame.marks.items()
            self.parsed.keys = {str(key): self.spot(mark) for key, mark in marks}
        self._put(frame.value, frame.mark, frame.nodes)

    # -- places in the tree ------------------------------------------------------

    def _expects_key(self) -> bool:
        return bool(self._stack) and (
            self._stack[-1].mapping and self._stack[-1].expects_key
        )

    def _anchor(self, name: str, value: Any, nodes: int) -> None:
        self.parsed.plain = False
        self._anchors[name] = (value, nodes)

    def _key(self, key: Any, mark: Any) -> None:
        top = self._stack[-1]
        top.expects_key = False
        if key is not _MERGE and not isinstance(key, str):
            self._key_fault(shown(key), mark)
            key = str(key)
        if key in top.marks and key is not _MERGE:
            line, column = self.spot(top.marks[key])
            top.key = None
            self.fault(
                Code.E_DUPKEY,
                f"key `{shown(key)[1:-1]}` is there twice",
                mark,
                found=f"first at {line}:{column}",
                hint="remove one of the two",
            )
        top.key, top.key_mark = key, mark
        top.marks.setdefault(key, mark)

    def _key_fault(self, found: str, mark: Any) -> None:
        self._stack[-1].key = None
        self.fault(
            Code.E_KEYTYPE,
            "key is not a string",
            mark,
            found=found,
            expected="a string",
            hint="quote it",
        )

    def _put(self, value: Any, mark: Any, nodes: int) -> None:
        if not self._stack:
            self.parsed.value = value
            if self._record:
                self.parsed.spots.setdefault((), self.spot(mark))
            return
        top = self._stack[-1]
        top.nodes += nodes
        if top.key is _MERGE:
            self._take_merge(top, value, mark)
        elif self._record and not self._in_merge():
            self.parsed.spots.setdefault(self._path(), self.spot(mark))
        if not top.mapping:
            top.value.append(value)
            top.key += 1
            return
        if top.key is not _MERGE:
            # The first of two wins, as its place does.
            top.value.setdefault(top.key, value)
        top.key, top.expects_key = None, True

    def _take_merge(self, top: _Frame, value: Any, mark: Any) -> None:
        self.parsed.plain = False
        sources = value if isinstance(value, list) else [value]
        for source in sources:
            if not isinstance(source, dict):
                self.fault(
                    Code.E_MERGE,
                    "`<<` merges something that is not a mapping",
                    mark,
                    found=type(source).__name__,
                    expected="a mapping, an alias of one, or a list of those",
                )
                return
        top.merged.extend(reversed(sources))
