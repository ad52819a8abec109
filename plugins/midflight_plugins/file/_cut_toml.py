"""Cut TOML before each header `[[modules]]`.

There is no cut if a string may go on in the next line. Without those, a line that says
`[[modules]]` is a header wherever it stands: inside of an array it would be a fault.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from midflight.errors import Path
from midflight_plugins.file import _toml
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._text import Parsed, Spot

_HEADER = re.compile(r"^\[\[modules\]\][ \t]*(?:#.*)?$", re.MULTILINE)
_OTHER = re.compile(r"^[ \t]*\[(?!\[?modules\.)(?!\[modules\]\])", re.MULTILINE)
_UNSAFE = re.compile(r"\"\"\"|'''|\r")


def cut(parsed: Parsed, count: int) -> tuple[int, list[int]] | None:
    """Return 0, and the offsets between the tables; see `_cut_yaml.cut`."""
    text = parsed.text
    starts = [header.start() for header in _HEADER.finditer(text)]
    if not starts or len(starts) != count or _UNSAFE.search(text):
        return None
    other = _OTHER.search(text, starts[0])
    end = other.start() if other else len(text)
    if end < starts[-1]:
        return None
    # The last chunk ends where no header says so: perhaps inside of an array.
    if read(text[starts[-1] : end], Limits()) != parsed.value["modules"][-1:]:
        return None
    # A table that stands behind others may belong to whichever entry is the last.
    if "modules" in (_toml.parse(text[end:], "", Limits()).value or ()):
        return None
    return 0, [*starts, end]


def split(window: str, indent: int, *, first: bool) -> list[str] | None:  # noqa: ARG001  # as of every format
    """Split changed lines before each header; see `cut`."""
    starts = [header.start() for header in _HEADER.finditer(window)]
    if not starts or starts[0] or _UNSAFE.search(window) or _OTHER.search(window):
        return None
    edges = itertools.pairwise([*starts, len(window)])
    return [window[start:end] for start, end in edges]


def read(chunk: str, limits: Limits) -> list[Any] | None:
    """Return the tables of a chunk, or `None` if there is anything else in it."""
    parsed = _toml.parse(chunk, "", limits)
    value = parsed.value
    if parsed.faults or not isinstance(value, dict) or list(value) != ["modules"]:
        return None
    return value["modules"] if isinstance(value["modules"], list) else None


def spots(chunk: str, limits: Limits) -> dict[Path, Spot]:
    """Return where each path below the table begins, counted from the chunk."""
    found = _toml.parse(chunk, "", limits, record=True).spots
    return {path[2:]: spot for path, spot in found.items() if len(path) > 1}
