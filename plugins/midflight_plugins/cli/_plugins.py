"""`midflight plugins`."""

from __future__ import annotations

from collections.abc import Collection

import click

from midflight import PluginRegistry
from midflight_plugins.cli._text import json_text, table

_FIELDS = ("role", "name", "distribution", "version", "target", "state", "reason")


def plugins(form: str, own: Collection[str]) -> None:
    """Write every entry point that Midflight finds; none is imported for that.

    Args:
        form: `text` or `json`.
        own: the names of the built-in commands, which no plugin can have.
    """
    rows = [
        {field: getattr(entry, field) for field in _FIELDS}
        for entry in PluginRegistry().entries()
    ]
    for row in rows:
        if row["role"] == "command" and row["name"] in own:
            row |= {"state": "reserved", "reason": "the name of a built-in command"}
    if form == "json":
        click.echo(json_text(rows))
        return
    shown = [field for field in _FIELDS if any(row[field] for row in rows)]
    heads = [click.style(field.upper(), bold=True) for field in shown]
    click.echo(table([heads, *([row[field] for field in shown] for row in rows)]))
