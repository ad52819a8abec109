"""`midflight history`."""

from __future__ import annotations

import contextlib
import datetime

import click

from midflight.errors import InvalidConfigurationError
from midflight.hookspecs import Version
from midflight_plugins.cli._text import cut, json_text, printable, table, terminal
from midflight_plugins.cli._versions import asking, writable

_HEADS = ("VERSION", "WHEN", "AUTHOR", "DIGEST", "MESSAGE")


def history(uri: str, limit: int, form: str) -> None:
    """Write the stored versions, newest first.

    Raises:
        SourceUnavailableError: if there is no document.
        MidflightError: if the source cannot be asked.
    """
    runtime = writable(uri)
    with asking(uri):
        found = runtime.history(limit)
        if not found:
            # A document that is not there is told as `get` tells it.
            with contextlib.suppress(InvalidConfigurationError):
                runtime.read()
    if form == "json":
        click.echo(json_text([_data(each) for each in found]))
    elif not found:
        click.echo("no version yet")
    else:
        click.echo(_table(found))


def _data(each: Version) -> dict[str, object]:
    return {
        "version": each.version,
        "at": _when(each, "microseconds"),
        "author": each.author,
        "digest": each.digest,
        "message": each.message,
    }


def _table(found: list[Version]) -> str:
    """Line up versions; on a terminal each has one line."""
    rows = [
        [
            printable(text)
            for text in (
                str(each.version),
                _when(each, "seconds") or "",
                each.author,
                each.digest[:12],
                _first_line(each.message),
            )
        ]
        for each in found
    ]
    heads = [click.style(head, bold=True) for head in _HEADS]
    head, *lines = table([heads, *rows]).splitlines()
    return "\n".join([head, cut("\n".join(lines), terminal())])


def _first_line(message: str) -> str:
    first, *more = message.strip().splitlines() or [""]
    return f"{first} …" if more else first


def _when(each: Version, timespec: str) -> str | None:
    """Return the time in UTC as ISO 8601."""
    if each.at is None:
        return None
    at = datetime.datetime.fromtimestamp(each.at, datetime.UTC)
    return at.isoformat(timespec=timespec).replace("+00:00", "Z")
