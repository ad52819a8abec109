"""`midflight explain`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from midflight import Place
from midflight.errors import Path, did_you_mean, dotted
from midflight_plugins.cli._faults import place_data
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._provenance import Origin, Provenance, place_of, tree
from midflight_plugins.cli._text import (
    json_text,
    plain,
    plural,
    short,
    table,
    value_text,
)

_INDEX = re.compile(r"\[(\d+)\]")


def explain(
    path: str | None, sources: Sources, form: str, *, whole: bool, running: bool
) -> None:
    """Write the values at a dotted path, each with its place and layer.

    Args:
        path: where; `None` with `whole`.
        sources: what to read, or what the service that is asked was given.
        form: `text` or `json`.
        whole: everything.
        running: ask the service that runs.

    Raises:
        InvalidConfigurationError: if the configuration is wrong.
        SourceUnavailableError: if it cannot be read.
        NotRunningError: if no service answers.
        click.UsageError: if nothing stands at that path.
    """
    if (path is None) != whole:
        msg = "give either a PATH or --all"
        raise click.UsageError(msg)
    told = _asked(path, sources) if running else _read(path, sources)
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


def _asked(path: str | None, sources: Sources) -> dict[str, Any]:
    """Ask a service; it tells places under other names."""
    from urllib.parse import quote

    from midflight_plugins.cli._asking import RefusedError, ask

    query = "all=1" if path is None else f"path={quote(path, safe='')}"
    try:
        found: dict[str, Any] = ask(sources, "GET", f"/api/v1/explain?{query}")
    except RefusedError as exc:
        if exc.status in {400, 404, 422}:
            raise click.UsageError(str(exc)) from exc
        raise
    return {**found, "values": list(map(_renamed, found["values"]))}


def _renamed(told: dict[str, Any]) -> dict[str, Any]:
    """Call the file of a place what `explain` of a source calls it."""
    named = {("file" if key == "source" else key): told[key] for key in told}
    return {**named, "shadows": list(map(_renamed, told.get("shadows", ())))}


def _read(path: str | None, sources: Sources) -> dict[str, Any]:
    """Read the configuration; return the values at a path with their provenance."""
    document, loaded = sources.runtime().read()
    content, known = tree(document), Provenance(loaded)
    found = _find(content, path, ()) if path is not None else ((), content)
    if found is None:
        raise click.UsageError(_unknown(content, str(path)))
    at, value = found
    values = [
        {"path": dotted(each), "value": plain(leaf), **_told(known.of(each, leaf))}
        for each, leaf in _leaves(value, at)
        if each == at or not _is_name(each)
    ]
    place = place_data(place_of(loaded.positions, at))
    return {"path": dotted(at), "value": plain(value), **place, "values": values}


def _is_name(path: Path) -> bool:
    """Tell whether a path is that of a module's name, which its key says already."""
    return path[:1] == ("modules",) and path[2:] == ("name",)


def _told(origin: Origin) -> dict[str, Any]:
    head = {**place_data(origin.place), "layer": origin.layer or None}
    shadows = [
        {
            "value": each.value,
            **place_data(each.place),
            "layer": each.layer,
            "version": each.version,
        }
        for each in origin.shadows
    ]
    return {**head, "version": origin.version, "shadows": shadows}


def _find(value: Any, rest: str, path: Path) -> tuple[Path, Any] | None:
    """Follow a dotted path; keys may hold dots themselves."""
    if not rest:
        return path, value
    for key, item in _children(value):
        head = f"[{key}]" if isinstance(key, int) else key
        tail = rest.removeprefix(head)
        if tail != rest and (not tail or tail[0] in ".["):
            found = _find(item, tail.removeprefix("."), (*path, key))
            if found is not None:
                return found
    return None


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from enumerate(value)


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield what stands at or below a path: scalars, empty mappings and lists."""
    children = list(_children(value))
    if not children:
        yield path, value
    for key, item in children:
        yield from _leaves(item, (*path, key))


def _unknown(tree: Any, path: str) -> str:
    """Say how far a path leads, and what would lead on."""
    cuts = [match.start() for match in re.finditer(r"[.\[]", path)]
    for cut in (*reversed(cuts), 0):
        found = _find(tree, path[:cut], ())
        if found is not None:
            break
    rest = path[cut:].removeprefix(".")
    word = next(iter(re.findall(r"\[\d+\]|[^.\[]+", rest)), rest)
    where = f"`{path[:cut]}` has no" if cut else "there is no"
    known = [key for key, _ in _children(found[1])] if found else []
    hint = did_you_mean(word, [key for key in known if isinstance(key, str)])
    more = f"it has {plural(len(known), 'item')}" if known and not hint else hint
    return f"{where} `{word}`" + (f"; {more}" if more else "")
