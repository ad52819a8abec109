"""Which layer set a value, and what the layers below it say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from midflight import Document, Loaded, Place, Secret
from midflight.errors import Path, Positions
from midflight.hookspecs import Layer
from midflight_plugins.cli._passwords import hidden
from midflight_plugins.cli._text import plain
from midflight_plugins.cli._versions import document_of


class Shadow(NamedTuple):
    """What a lower layer says of a value that another one set.

    Args:
        value: the value, without passwords.
        place: where it stands.
        layer: the layer.
        version: that layer's version, if it has any.
    """

    value: Any
    place: Place | None
    layer: str
    version: str | int | None


class Origin(NamedTuple):
    """Who set a value.

    Args:
        place: where it stands.
        layer: the layer, empty if there is but one source.
        version: the version of that layer, or of the source.
        shadows: what lower layers say, the nearest first.
    """

    place: Place | None
    layer: str = ""
    version: str | int | None = None
    shadows: tuple[Shadow, ...] = ()


class Provenance:
    """Finds out who set the values of a document.

    Args:
        loaded: what was read, with its layers.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        flat = list(_flat(loaded.layers))
        self._layers = [(layer, tree(document_of(layer.loaded))) for layer in flat]  # type: ignore[arg-type]  # `_flat` leaves out those without

    def of(self, path: Path, value: Any) -> Origin:
        """Return who set the value at a path."""
        place = place_of(self._loaded.positions, path)
        if not self._layers:
            return Origin(place, version=self._loaded.version)
        having = [
            (layer, item)
            for layer, content in reversed(self._layers)
            if (item := at(content, path)) is not _NOTHING
        ]
        names = [layer.name for layer, _ in having]
        named = place.layer if place else ""
        top = names.index(named) if named in names else 0
        version = having[top][0].version if having else None
        shadows = tuple(
            _shadow(layer, item if _is_open(item, value) else Secret(""), path)
            for layer, item in having[top + 1 :]
        )
        return Origin(place, named or next(iter(names), ""), version, shadows)


_NOTHING = object()


def tree(document: Document) -> dict[str, Any]:
    """Return a document with its modules by name, as paths go."""
    entries = {name: entry.as_mapping() for name, entry in document.modules.items()}
    return {"modules": entries, **document.sections}


def place_of(positions: Positions | None, path: Path) -> Place | None:
    """Return the place of a path, if anybody knows it."""
    return positions(path) if positions else None


def at(value: Any, path: Path) -> Any:
    """Return what stands at a path, or a mark for nothing."""
    for key in path:
        listed = isinstance(key, int) and isinstance(value, Sequence)
        if listed and not isinstance(value, str) and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return _NOTHING
    return value


def _flat(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Yield the layers that gave something, those inside of others by themselves."""
    for layer in layers:
        if layer.loaded and layer.loaded.layers:
            yield from _flat(layer.loaded.layers)
        elif layer.loaded:
            yield layer


def _is_open(value: Any, in_force: Any) -> bool:
    """Tell whether what a lower layer says may be shown.

    It was never transformed. That a text at that path is no secret is known only of a
    text in force that is none.
    """
    if isinstance(in_force, Secret) or isinstance(value, Mapping | list | tuple):
        return False
    return not isinstance(value, str) or (isinstance(in_force, str) and in_force != "")


def _shadow(layer: Layer, value: Any, path: Path) -> Shadow:
    place = place_of(layer.loaded.positions if layer.loaded else None, path)
    return Shadow(hidden(plain(value), str(path[-1])), place, layer.name, layer.version)
