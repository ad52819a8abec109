"""`midflight status` and `midflight reload`: about a service that runs."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

import click

from midflight_plugins.cli._asking import ask
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._put import default_author
from midflight_plugins.cli._text import json_text, printable, short, table

_COLOURS = {"healthy": "green", "starting": "yellow", "stopped": "red"}
_SHORT = 12  # characters of a digest
_DONE = {"applied", "unchanged", "held"}


def status(sources: Sources, form: str) -> int:
    """Write what a service says of itself; return whether it is well.

    Raises:
        NotRunningError: if none answers.
    """
    found = ask(sources, "GET", "/api/v1/status")
    click.echo(json_text(found) if form == "json" else "\n".join(_paragraphs(found)))
    return Exit.OK if found.get("state") == "healthy" else Exit.FAILED


def _paragraphs(found: Mapping[str, Any]) -> Iterator[str]:
    state = str(found.get("state"))
    styled = click.style(state, fg=_COLOURS.get(state, "yellow"), bold=True)
    digest = str(found.get("digest") or "")[:_SHORT]
    yield f"{styled}, generation {found.get('generation')}, digest {digest}"
    if rejected := found.get("rejected"):
        which = str(rejected.get("digest") or "")[:_SHORT] or "content"
        yield f"rejected: {which} at {_when(rejected.get('at'))}, {rejected['reason']}"
        yield from (f"  {printable(fault)}" for fault in rejected.get("faults", ()))
    if held := found.get("held"):
        yield f"held: {', '.join(held)}; approve it with SIGUSR1"
    rows = [*map(_source, found.get("sources") or ())]
    if rows:
        yield "\n" + table([_heads("SOURCE", "VERSION", "MODE", "ERROR"), *rows])
    modules = [
        (name, each.get("type", ""), each.get("state", ""), str(each.get("generation")))
        for name, each in (found.get("modules") or {}).items()
    ]
    if modules:
        yield "\n" + table([_heads("MODULE", "TYPE", "STATE", "GENERATION"), *modules])
    if notes := found.get("notes"):
        yield "\n" + table([_heads("PLUGIN", "NOTE"), *notes.items()])


def _heads(*words: str) -> list[str]:
    return [click.style(word, bold=True) for word in words]


def _source(row: Mapping[str, Any]) -> tuple[str, ...]:
    version = row.get("version")
    error = str(row.get("error") or "")
    since = f" (since {_when(row['since'])})" if error and row.get("since") else ""
    shown = "" if version is None else short(version)
    return str(row.get("name")), shown, str(row.get("mode") or ""), error + since


def _when(at: Any) -> str:
    if not isinstance(at, int | float):
        return "an unknown time"
    found = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")


def reload(sources: Sources, form: str) -> int:
    """Let a service look at its source, and write what came of it.

    Raises:
        NotRunningError: if none answers.
        RefusedError: if it cannot reload now.
    """
    found = ask(sources, "POST", "/api/v1/reload", {"actor": default_author()})
    name, faults = str(found.get("outcome")), found.get("faults") or ()
    if form == "json":
        click.echo(json_text(found))
    else:
        reason, number = found.get("reason"), found.get("generation")
        click.echo(f"{name}: {reason}; generation {number} is in force")
        for fault in faults:
            click.echo(f"  {printable(_fault(fault))}")
    if name in _DONE:
        return Exit.OK
    invalid = found.get("reason") in {"invalid", "plan_refused"}
    return Exit.INVALID if invalid else Exit.FAILED


def _fault(told: Mapping[str, Any]) -> str:
    place = [str(told[key]) for key in ("file", "line", "column") if told.get(key)]
    layer = f" ({told['layer']})" if told.get("layer") else ""
    where = f"{':'.join(place)}{layer}: " if place else ""
    at = f" at `{told['path']}`" if told.get("path") else ""
    return f"{where}{told.get('code')}: {told.get('message')}{at}"
