"""`midflight explain`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from midflight import Place
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._text import json_text, short, table, value_text

if TYPE_CHECKING:
    from midflight_plugins.cli._client import Service


def explain(
    path: str | None, given: Sources | Service, form: str, *, whole: bool
) -> None:
    """Write the values at a dotted path, each with its place and layer.

    Args:
        path: where; `None` with `whole`.
        given: what to read, or the running service that is asked.
        form: `text` or `json`.
        whole: everything.

    Raises:
        InvalidConfigurationError: if the configuration is wrong.
        SourceUnavailableError: if it cannot be read.
        AnswerError: if the service does not say.
        click.UsageError: if nothing stands at that path.
    """
    if (path is None) != whole:
        msg = "give either a PATH or --all"
        raise click.UsageError(msg)
    told = _read(path, given) if isinstance(given, Sources) else _asked(path, given)
    if form == "json":
        click.echo(json_text(told))
        return
    rows = [row for each in told["values"] for row in _rows(each)]
    click.echo(table(rows) if rows else "there is nothing")


def _rows(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the lines of a value: its own, and one for each layer below."""
    yield f"{told['path']} = {value_text(told['value'])}", _where(told)
    for shadow in told.get("shadows", ()):
        yield f"    instead of {value_text(shadow['value'])}", _where(shadow)


def _where(told: dict[str, Any]) -> str:
    place = Place(
        told["file"] or "", told["line"], told["column"], told.get("layer") or ""
    )
    version = told.get("version")
    shown = version is None or str(told["file"]).endswith(f"@{version}")
    mark = "" if shown else f", version {short(version)}"
    return f"{place}{mark}" if told["file"] else f"(place unknown){mark}"


def _asked(path: str | None, service: Service) -> dict[str, Any]:
    query = {"all": "1"} if path is None else {"path": path}
    found: dict[str, Any] = service.ask("GET", "explain", query=query)
    return found


def _read(path: str | None, sources: Sources) -> dict[str, Any]:
    """Read the configuration; return the values at a path with their provenance."""
    from midflight_plugins.api import AbsentError, explained

    try:
        return explained(*sources.runtime().read(), path or "")
    except AbsentError as exc:
        raise click.UsageError(str(exc)) from exc
