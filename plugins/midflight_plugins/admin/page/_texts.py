"""Templates, and how they write times, digests and values."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midflight.errors import plain
from midflight_plugins.admin.page._yaml import scalar

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent
_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_CAUSES = {"hint": "seen in the source", "sweep": "seen in the source"}
_CAUSES |= {"start": "start of the process", "retry": "another try"}
_REASONS = {
    "invalid": "The configuration is invalid",
    "plan_refused": "The plan was refused",
    "source_unavailable": "The source cannot be read",
}
_FAULT = re.compile(
    r"(?:(?P<place>[^`]*?)(?: \([^()`]*\))?: )?(?P<code>E_[A-Z_]+): (?P<text>.*)",
    re.DOTALL,
)
_SCHEME = re.compile(r"([a-z][a-z0-9+-]+):(?!\d)")
_NONE = "\N{EN DASH}"
_NAMED = 3  # steps in a headline
_WHOLE, _SHORT = 20, 12  # characters of a mark
_LONGEST = 400  # characters of a value in a table


def environment() -> Environment:
    """Return the templates."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(value=shown, when=when, iso=iso, took=took)
    made.filters.update(short=short, headline=headline, label=label)
    made.filters.update(who=who, told=told, ticked=ticked)
    made.filters.update(below=str.removeprefix)
    return made


def iso(at: float | None) -> str:
    """Write a time for machines."""
    return _utc(at).isoformat(timespec="seconds") if at else ""


def when(at: float | None) -> str:
    """Write a time for people; the browser writes it anew in its own zone."""
    return f"{_utc(at):%Y-%m-%d %H:%M:%S} UTC" if at else "never"


def _utc(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC)


def took(seconds: float | None) -> str:
    """Write a duration: `3 min`, `1.2 s`, `4.1 ms`."""
    if seconds is None:
        return _NONE
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 10:  # noqa: PLR2004  # below it, a digit behind the point says something
        return f"{seconds:.1f} s"
    size, unit = next(each for each in _STEPS if seconds >= each[0])
    return f"{seconds / size:.0f} {unit}"


def short(mark: object) -> str:
    """Write a digest, or a version that may be one: enough to tell two apart."""
    text = str(mark or _NONE).rpartition(":")[2]
    return text if len(text) <= _WHOLE else text[:_SHORT]


def label(uri: str) -> str:
    """Write the part of a source's name or a file's path by which people know it."""
    found = _SCHEME.match(uri)
    if found and found[1] == "overrides":
        return found[1]
    rest = uri[found.end() :] if found else uri
    return rest.rstrip("/").rpartition("/")[2].partition("?")[0] or uri


def headline(record: Mapping[str, Any]) -> str:
    """Say in a few words what a record of the journal is about."""
    steps = record["steps"]
    if not steps:
        reason = str(record["reason"])
        return _REASONS.get(reason, reason.replace("_", " ").capitalize())
    named = [f"{each['action']} {each['module']}" for each in steps[:_NAMED]]
    more = len(steps) - _NAMED
    text = ", ".join([*named, *([f"{more} more"] if more > 0 else ())])
    return text[:1].upper() + text[1:]


def who(record: Mapping[str, Any]) -> str:
    """Say who asked for what a record is about, or how it came to be."""
    cause = str(record["cause"])
    return str(record["actor"] or _CAUSES.get(cause, cause) or "unknown")


def told(fault: str) -> Mapping[str, str]:
    """Part a fault that is told as one text: its place, its code, what is wrong."""
    found = _FAULT.fullmatch(fault)
    return found.groupdict("") if found else {"place": "", "code": "", "text": fault}


def ticked(text: str) -> list[tuple[bool, str]]:
    """Part a text at its backticks; tell of each part whether it stood between two."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one has no partner
        return [(False, text)]
    return [(at % 2 == 1, part) for at, part in enumerate(parts)]


def shown(value: Any) -> str:
    """Write a value on one line, as the editor does."""
    return plain(scalar(value), _LONGEST)
