"""`midflight diff`."""

from __future__ import annotations

from typing import Any

import click

from midflight import Diff, Document
from midflight.errors import dotted
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._text import json_text, plain, plural, table, value_text

_COLOURS = {"+": "green", "-": "red", "~": "yellow"}
_LONGEST = 60  # characters of a value that are shown


def diff(old: Sources, new: Sources, form: str) -> None:
    """Write what differs between two sources.

    Raises:
        InvalidConfigurationError: if one is wrong.
        SourceUnavailableError: if one cannot be read.
    """
    found = Diff.between(old.runtime().read()[0], new.runtime().read()[0])
    if form == "json":
        click.echo(json_text(_data(found)))
    elif found:
        click.echo(_text(found))
    else:
        click.echo(f"no difference: digest {found.new.digest[:12]}")


def _changes(found: Diff) -> dict[str, list[dict[str, Any]]]:
    """Return what changed by module or section; an absent side has no key."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for change in found.key_changes():
        owner = change.path[: 2 if change.path[0] == "modules" else 1]
        entry = {"path": dotted(change.path), **plain(change.sides)}
        grouped.setdefault(dotted(owner), []).append(entry)
    return grouped


def _data(found: Diff) -> dict[str, Any]:
    changes = _changes(found)

    def modules(names: tuple[str, ...], side: Document) -> list[dict[str, Any]]:
        return [{"name": name, "type": side.modules[name].type} for name in names]

    return {
        "differs": bool(found),
        "old": found.old.digest,
        "new": found.new.digest,
        "added": modules(found.added, found.new),
        "removed": modules(found.removed, found.old),
        "modified": [
            {**entry, "changes": changes[dotted(("modules", entry["name"]))]}
            for entry in modules(found.modified, found.new)
        ],
        "sections": [
            {"name": name, "changes": changes[name]} for name in found.sections
        ],
    }


def _text(found: Diff) -> str:
    data, parts = _data(found), []
    for sign, kind in (("-", "removed"), ("+", "added"), ("~", "modified")):
        for entry in data[kind]:
            parts.append(_head(sign, f"module {entry['name']} ({entry['type']})"))
            parts += _rows(entry.get("changes"), ("modules", entry["name"]))
    for section in data["sections"]:
        parts.append(_head("~", f"section {section['name']}"))
        parts += _rows(section["changes"], (section["name"],))
    counts = [f"{len(data[kind])} {kind}" for kind in ("added", "removed", "modified")]
    sections = plural(len(data["sections"]), "section")
    parts.append(f"\nmodules: {', '.join(counts)}; {sections} changed")
    return "\n".join(parts)


def _head(sign: str, text: str) -> str:
    return click.style(f"{sign} {text}", fg=_COLOURS[sign])


def _rows(changes: list[dict[str, Any]] | None, above: tuple[str, ...]) -> list[str]:
    prefix = f"{dotted(above)}."
    rows = [
        (
            change["path"].removeprefix(prefix),
            f"{_side(change, 'old')} -> {_side(change, 'new')}",
        )
        for change in changes or ()
    ]
    return [table(rows, "    ")] if rows else []


def _side(change: dict[str, Any], side: str) -> str:
    if side not in change:
        return "(absent)"
    text = value_text(change[side])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
