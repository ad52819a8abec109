"""`midflight explain`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from midflight import Document, Place
from midflight.errors import Path, Positions, did_you_mean, dotted
from midflight_plugins.cli._faults import place_data
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._text import json_text, plain, plural, table, value_text

_INDEX = re.compile(r"\[(\d+)\]")


def explain(path: str, sources: Sources, form: str) -> None:
    """Write the values at a dotted path, each with its place.

    Raises:
        InvalidConfigurationError: if the configuration is wrong.
        SourceUnavailableError: if it cannot be read.
        click.UsageError: if nothing stands at that path.
    """
    document, loaded = sources.runtime().read()
    tree = _tree(document)
    found = _find(tree, path, ())
    if found is None:
        raise click.UsageError(_unknown(tree, path))
    at, value = found
    leaves = [
        (dotted(each), leaf, _place(loaded.positions, each))
        for each, leaf in _leaves(value, at)
    ]
    if form == "json":
        rows = [
            {"path": each, "value": plain(leaf), **place_data(place)}
            for each, leaf, place in leaves
        ]
        top = {"path": dotted(at), "value": plain(value)}
        place = place_data(_place(loaded.positions, at))
        click.echo(json_text({**top, **place, "values": rows}))
        return
    click.echo(
        table(
            (f"{each} = {value_text(leaf)}", str(place or "(place unknown)"))
            for each, leaf, place in leaves
        )
    )


def _tree(document: Document) -> dict[str, Any]:
    entries = {name: entry.as_mapping() for name, entry in document.modules.items()}
    return {"modules": entries, **document.sections}


def _place(positions: Positions | None, path: Path) -> Place | None:
    return positions(path) if positions else None


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
