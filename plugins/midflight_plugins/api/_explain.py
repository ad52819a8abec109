"""Which layer set a value, where, and what the layers below it say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from midflight import Document, Loaded, Secret
from midflight.errors import Path, dotted
from midflight.hookspecs import Layer
from midflight_plugins.api._data import MASK, place_data, plain_data, public
from midflight_plugins.api._loaded import raw_document
from midflight_plugins.api._paths import NOTHING, at, found, leaves, tree

# A text that shows by itself that it holds a secret.
_LOGIN = (
    r"(?si)://[^/?#@]*:.+@|PRIVATE KEY-----"
    r"|[?&][^=&#]*(?:password|passwd|pwd|secret|token)="
)


def explained(document: Document, loaded: Loaded, path: str) -> dict[str, Any]:
    """Return the values at and below a path, and where each was set.

    Args:
        document: as `transform` left it.
        loaded: what it was made of.
        path: with dots; empty for everything.

    Raises:
        AbsentError: nothing stands there.
    """
    there, value = found(tree(document), path)
    known = Provenance(loaded)
    rows = [
        {"path": dotted(each), "value": plain_data(leaf), **known.of(each, leaf)}
        for each, leaf in leaves(value, there)
        if each == there or not _is_name(each)
    ]
    return {
        "path": dotted(there),
        "value": plain_data(value),
        **_place(loaded, there),
        "values": rows,
    }


class Provenance:
    """Finds out who set the values of a document.

    Args:
        loaded: what was read, with its layers.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._layers = [
            (layer, tree(raw_document(part))) for layer, part in _flat(loaded.layers)
        ]

    def of(self, path: Path, value: Any) -> dict[str, Any]:
        """Return who set the value at a path, and what lower layers say, as data."""
        place = _place(self._loaded, path)
        if not self._layers:
            return {**place, "version": self._loaded.version, "shadows": []}
        having = [
            (layer, item)
            for layer, content in reversed(self._layers)
            if (item := at(content, path)) is not NOTHING
        ]
        names = [public(layer.name) for layer, _ in having]
        top = names.index(place["layer"]) if place["layer"] in names else 0
        return {
            **place,
            "layer": place["layer"] or next(iter(names), None),
            "version": having[top][0].version if having else None,
            "shadows": [
                {
                    "value": shown_of(item, value),
                    **_place(layer.loaded, path),
                    "layer": public(layer.name),
                    "version": layer.version,
                }
                for layer, item in having[top + 1 :]
            ],
        }


def shown_of(value: Any, in_force: Any) -> Any:
    """Return a value that was never transformed, masked unless it may be shown.

    That a text is no secret is known only of a text in force at its path that is none;
    a text may still show by itself that it is one.

    Args:
        value: what a layer says.
        in_force: what is in force at the same path.
    """
    hides = isinstance(in_force, Secret) or isinstance(value, Mapping | list | tuple)
    if isinstance(value, str):
        known = isinstance(in_force, str) and in_force != ""
        hides = hides or not known or re.search(_LOGIN, value) is not None
    return MASK if hides else plain_data(value)


def _flat(layers: Sequence[Layer]) -> Iterator[tuple[Layer, Loaded]]:
    """Yield the layers that gave something, those inside of others by themselves."""
    for layer in layers:
        if layer.loaded and layer.loaded.layers:
            yield from _flat(layer.loaded.layers)
        elif layer.loaded:
            yield layer, layer.loaded


def _place(loaded: Loaded | None, path: Path) -> dict[str, Any]:
    positions = loaded.positions if loaded else None
    return place_data(positions(path) if positions and path else None)


def _is_name(path: Path) -> bool:
    """Tell whether a path is that of a module's name, which its key says already."""
    return path[:1] == ("modules",) and path[2:] == ("name",)
