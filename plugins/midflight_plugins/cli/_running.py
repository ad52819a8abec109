"""`midflight status`, `reload` and `modules --running`: about a service that runs."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import click

from midflight_plugins.api import fault_of
from midflight_plugins.cli._client import Service
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._put import default_author
from midflight_plugins.cli._text import json_text, printable, short, table

_COLOURS = {"healthy": "green", "starting": "yellow", "stopped": "red"}
_SHORT = 12  # characters of a digest
_COLUMNS = ("name", "type", "state", "generation")
_PAGE = 1_000  # modules that are asked for at once
_DONE = {"applied", "unchanged", "held"}


def status(service: Service, form: str) -> int:
    """Write what a service says of itself; return whether it is well.

    Raises:
        NotRunningError: if none answers.
    """
    found = service.ask("GET", "status")
    click.echo(json_text(found) if form == "json" else _text(found, service.words))
    return Exit.OK if found.get("state") == "healthy" else Exit.FAILED


def _text(found: Mapping[str, Any], words: str) -> str:
    return "\n".join(_paragraphs(found, words))


def _paragraphs(found: Mapping[str, Any], words: str) -> Iterator[str]:
    state = str(found.get("state"))
    styled = click.style(state, fg=_COLOURS.get(state, "yellow"), bold=True)
    digest = str(found.get("digest") or "")[:_SHORT]
    yield f"{styled}, generation {found.get('generation')}, digest {digest}"
    if rejected := found.get("rejected"):
        which = str(rejected.get("digest") or "")[:_SHORT] or "content"
        yield f"rejected: {which} at {when(rejected.get('at'))}, {rejected['reason']}"
        for fault in rejected.get("faults", ()):
            yield f"  {printable(str(fault_of(fault)))}"
    if (held := found.get("held")) is not None:
        how = f"approve it with `midflight apply{printable(words)}`"
        yield f"held: {', '.join(held) or 'no module is touched'}; {how}"
    rows = [*map(_source, found.get("sources") or ())]
    if rows:
        yield "\n" + table([heads("SOURCE", "VERSION", "MODE", "ERROR"), *rows])
    modules = [
        (name, each.get("type", ""), each.get("state", ""), str(each.get("generation")))
        for name, each in (found.get("modules") or {}).items()
    ]
    if modules:
        yield "\n" + table([heads("MODULE", "TYPE", "STATE", "GENERATION"), *modules])
    if notes := found.get("notes"):
        yield "\n" + table([heads("PLUGIN", "NOTE"), *notes.items()])


def modules(service: Service, search: str | None, form: str) -> None:
    """Write the modules of a service.

    Args:
        service: which one.
        search: a part of their names; `None` for all.
        form: `text` or `json`.

    Raises:
        AnswerError: if it does not say.
    """
    rows = list(_modules(service, search))
    if form == "json":
        click.echo(json_text(rows))
    elif not rows:
        click.echo("no module")
    else:
        cells = [[_cell(row, name) for name in _COLUMNS] for row in rows]
        changes = ["in place" if row.get("reloadable") else "restart" for row in rows]
        first = heads(*(name.upper() for name in _COLUMNS), "CHANGE")
        body = [[*row, change] for row, change in zip(cells, changes, strict=True)]
        click.echo(table([first, *body]))


def _cell(row: Mapping[str, Any], name: str) -> str:
    return str(row.get(name))


def _modules(service: Service, search: str | None) -> Iterator[Mapping[str, Any]]:
    """Yield every module, page by page."""
    at = 0
    while True:
        query = {"q": search or None, "offset": at or None, "limit": _PAGE}
        found = service.ask("GET", "modules", query=query)
        page = found.get("modules") or ()
        yield from page
        at += len(page)
        if not page or at >= int(found.get("total") or 0):
            return


def heads(*words: str) -> list[str]:
    """Return the first row of a table."""
    return [click.style(word, bold=True) for word in words]


def _source(row: Mapping[str, Any]) -> tuple[str, ...]:
    version = row.get("version")
    error = str(row.get("error") or "")
    since = f" (since {when(row['since'])})" if error and row.get("since") else ""
    shown = "" if version is None else short(version)
    return str(row.get("name")), shown, str(row.get("mode") or ""), error + since


def when(at: Any) -> str:
    """Write a time, in UTC."""
    if not isinstance(at, int | float):
        return "an unknown time"
    found = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")


def reload(service: Service, form: str) -> int:
    """Let a service look at its source, and write what came of it.

    Raises:
        NotRunningError: if none answers.
        AnswerError: if it does not reload.
    """
    found = service.ask("POST", "reload", {"actor": default_author()})
    name, faults = str(found.get("outcome")), found.get("faults") or ()
    if form == "json":
        click.echo(json_text(found))
    else:
        reason, number = found.get("reason"), found.get("generation")
        click.echo(f"{name}: {reason}; generation {number} is in force")
        for fault in faults:
            click.echo(f"  {printable(fault_text(fault))}")
    if name in _DONE:
        return Exit.OK
    invalid = found.get("reason") in {"invalid", "plan_refused"}
    return Exit.INVALID if invalid else Exit.FAILED


def fault_text(told: Mapping[str, Any]) -> str:
    """Write a fault of an answer on one line."""
    place = [str(told[key]) for key in ("file", "line", "column") if told.get(key)]
    layer = f" ({told['layer']})" if told.get("layer") else ""
    where = f"{':'.join(place)}{layer}: " if place else ""
    at = f" at `{told['path']}`" if told.get("path") else ""
    return f"{where}{told.get('code')}: {told.get('message')}{at}"
