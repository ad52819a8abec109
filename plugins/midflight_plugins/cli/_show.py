"""`midflight settings`."""

from __future__ import annotations

from typing import Any

import click

from midflight_plugins.cli._origins import Found
from midflight_plugins.cli._passwords import hidden
from midflight_plugins.cli._resolved import Settings, ignored
from midflight_plugins.cli._settings import SETTINGS, Setting
from midflight_plugins.cli._state_dir import directory_of
from midflight_plugins.cli._text import (
    cut,
    json_text,
    plain,
    printable,
    table,
    terminal,
    value_text,
    width,
)

_LEAST = 12  # columns of a value
_HEADS = ("SETTING", "VALUE", "FROM")


def show(settings: Settings, form: str) -> None:
    """Write every setting with its value and origin."""
    rows = [_row(setting, settings) for setting in SETTINGS]
    notes = ignored(settings)
    if form == "json":
        name = settings.file.name if settings.file else None
        click.echo(json_text({"file": name, "ignored": notes, "settings": rows}))
        return
    heads = [click.style(head, bold=True) for head in _HEADS]
    cells = [(row["name"], _text(row), row["from"]) for row in rows]
    room = _room(cells, terminal())
    cells = [(name, cut(printable(value), room), at) for name, value, at in cells]
    click.echo(cut(table([heads, *cells]), terminal()))
    for note in notes:
        word = click.style("warning", fg="yellow", bold=True)
        click.echo(f"{word}: {note}", err=True)


def _room(cells: list[tuple[str, str, str]], columns: int | None) -> int | None:
    """Return the columns left for values, so that their origins are seen."""
    names, _, origins = (
        [width(each) for each in one] for one in zip(*cells, strict=True)
    )
    return columns and max(_LEAST, columns - max(names) - max(origins) - len("    "))


def _text(row: dict[str, Any]) -> str:
    value = row["value"]
    if isinstance(value, float):
        return f"{value:g}"
    if row["name"] == "layers" and value:
        return "; ".join(map(_layer, value))
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    return value if isinstance(value, str) and value else value_text(value)


def _layer(layer: dict[str, Any]) -> str:
    source = layer.get("source", layer.get("type"))
    text = source if isinstance(source, str) else value_text(source)
    head = f"{layer['name']} = {text}" if "name" in layer else text
    return f"{head} (optional)" if layer.get("optional") else head


def _row(setting: Setting, settings: Settings) -> dict[str, Any]:
    found = settings.found[setting.name]
    value = directory_of(settings) if setting.name == "state_dir" else found.value
    return {
        "name": setting.name,
        "value": hidden(plain(value)),
        "from": _from(setting, found, settings),
        "origin": found.origin,
        "file": found.place.source if found.place and found.origin == "file" else None,
        "line": found.place and found.place.line,
        "default": plain(setting.default),
        "variable": setting.variable,
        "option": setting.option or None,
        "help": setting.help,
    }


def _from(setting: Setting, found: Found, settings: Settings) -> str:
    """Say where a value comes from."""
    other = {"source": "layers", "layers": "source"}.get(setting.name)
    if other and settings[other] and not found.value:
        return f"not used: `{other}` is set"
    if found.place is None:
        return "default"
    if found.origin == "file":
        return f"{found.place.source}:{found.place.line}"
    return (
        f"option {found.place.source}"
        if found.origin == "option"
        else found.place.source
    )
