"""`midflight rollback --running`: a service that runs goes back to what it had."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import click

from midflight_plugins.cli._client import NAMED_BY, Service
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._planned import done
from midflight_plugins.cli._running import heads, when
from midflight_plugins.cli._text import json_text, printable, short, table

_HEX = re.compile(r"[0-9a-fA-F]+")
_DIGITS = 15  # of a number at most; a digest has 64
_DIGEST = 12  # characters of one that are shown


def rollback(
    service: Service, word: str | None, layer: str | None, message: str, form: str
) -> int:
    """Let a service go back, or write what it can go back to.

    Args:
        service: which one.
        word: a generation or a digest, or with `layer` a version; `None` to list them.
        layer: the layer that stores versions.
        message: why.
        form: `text` or `json`.

    Raises:
        AnswerError: if it does not.
        click.UsageError: if the word is neither a generation nor a digest.
    """
    if word is None:
        _list(service, layer, form)
        return Exit.OK
    body: dict[str, Any] = {"layer": layer, "version": _number(word)}
    if layer is None:
        if not _HEX.fullmatch(word):
            which = "neither a GENERATION nor a digest"
            msg = f"{printable(word)} is {which}; {NAMED_BY}"
            raise click.UsageError(msg)
        number = _number(word)
        kind = "generation" if isinstance(number, int) else "digest"
        body = {kind: number}
    more = {"message": message} if message else {}
    return done(service.ask("POST", "rollback", {**body, **more}), form)


def _number(word: str) -> int | str:
    is_one = word.isascii() and word.isdigit() and len(word) <= _DIGITS
    return int(word) if is_one else word


def _list(service: Service, layer: str | None, form: str) -> None:
    if layer is None:
        found = service.ask("GET", "generations")
        rows, first = found.get("generations") or (), "GENERATION"
    else:
        found = service.ask("GET", "versions", query={"layer": layer})
        rows, first = found.get("versions") or (), "VERSION"
    if form == "json":
        click.echo(json_text(found))
        return
    cells = [_cells(row, first.lower()) for row in rows]
    words = heads(first, "WHEN", "WHO", "DIGEST", "WHY", "")
    click.echo(table([words, *cells]))


def _cells(row: Mapping[str, Any], first: str) -> list[str]:
    return [
        short(row.get(first)),
        when(row.get("at")),
        str(row.get("actor") or row.get("author") or ""),
        short(row.get("digest") or "")[:_DIGEST],
        str(row.get("cause") or row.get("message") or ""),
        "in force" if row.get("current") else "",
    ]
