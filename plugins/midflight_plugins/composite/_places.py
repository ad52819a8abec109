"""Find the layer that set a value, and name it in what is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from midflight import Document, Fault, ModuleConfig, Place
from midflight.errors import Code, Path, Positions, dotted
from midflight.hookspecs import Layer
from midflight_plugins.composite._marks import ABSENT, PATCH, VALUE, mark_of
from midflight_plugins.composite._merge import shape
from midflight_plugins.composite._overlay import Clashing


@attrs.frozen(eq=False)
class Given:
    """What one layer gives to the whole.

    Args:
        name: of the layer.
        source: the name of the source behind it.
        document: what it gave.
        positions: its own finder of places.
    """

    name: str
    source: str
    document: Document
    positions: Positions | None

    def place(self, path: Path) -> Place:
        """Return the place of a path in this layer."""
        found: Place | None = None
        if self.positions is not None:
            with contextlib.suppress(Exception):  # a broken finder hides no fault
                found = self.positions(path)
        return within(self.name, found or Place(self.source))


def within(layer: str, place: Place) -> Place:
    """Return a place that names a layer, and the one inside that, if there is one."""
    inner = f"{layer}/{place.layer}" if place.layer else layer
    return attrs.evolve(place, layer=inner)


def within_layer(layer: str, row: Layer, *, optional: bool) -> Layer:
    """Return the row of a layer inside of another one."""
    optional = optional or row.optional
    return attrs.evolve(row, name=f"{layer}/{row.name}", optional=optional)


def place_in(layers: Sequence[Given], path: Path) -> Place | None:
    """Return the place of what set a path, in the highest layer that has it.

    For a path that nothing sets it is where it was removed, else the place of the
    nearest parent. A module that no layer has was added by a plugin, and has none.
    """
    least = 2 if path[:1] == ("modules",) and len(path) > 1 else 0
    for end in range(len(path), least - 1, -1):
        for layer in reversed(layers):
            depth = _reach(layer.document, path[:end])
            if depth >= 0:
                return layer.place(path[:depth])
    return None


def clash_fault(clash: Clashing, layers: Sequence[Given]) -> Fault:
    """Return the fault for a shape over another, with both layers and both places."""
    path, upper = clash.path, layers[clash.layer]
    over = shape(_at(upper.document, path)[0])
    below = [(each, *_at(each.document, path)) for each in layers[: clash.layer]]
    there = [(each, shape(value)) for each, value, has in below if has]
    others = [pair for pair in there if pair[1] not in (over, "null")]
    lower, under = (others or there)[-1]
    value = "its keys" if over == "a mapping" else f"`{VALUE}: …`"
    return Fault(
        Code.E_MERGE_CONFLICT,
        f"`{dotted(path)}` is {over} in layer `{upper.name}`, "
        f"but {under} in layer `{lower.name}`",
        path,
        upper.place(path),
        found=f"{over} over {under} at {lower.place(path)}",
        hint=f"to replace it, write `{PATCH}: replace` and {value}",
    )


def placed(
    faults: Iterable[Fault], layer: str, source: str, positions: Positions | None
) -> list[Fault]:
    """Return the faults of one layer's content, each naming the layer."""
    given = Given(layer, source, Document(), positions)
    return [
        attrs.evolve(
            fault,
            place=within(layer, fault.place)
            if fault.place
            else given.place(fault.path),
        )
        for fault in faults
    ]


def _reach(document: Document, path: Path) -> int:
    """Return how much of a path a layer decides, -1 if it says nothing of it.

    It decides the whole path if it has it, and a part if it removes or replaces that.
    """
    value: Any = document
    decides = PATCH in document.sections
    for depth, key in enumerate(path):
        if isinstance(value, tuple):
            break  # a list is replaced whole
        value = _below(value, key)
        if value is ABSENT:
            return depth if decides else -1
        body = value.extra if isinstance(value, ModuleConfig) else value
        decides = decides or bool(mark_of(body))
    return len(path)


def _at(document: Document, path: Path) -> tuple[Any, bool]:
    """Return what a layer has at a path, and whether it has anything."""
    value: Any = document
    for key in path:
        value = _below(value, key)
        if value is ABSENT:
            return None, False
    return value, True


def _below(value: Any, key: str | int) -> Any:
    """Return what stands under a key, or `ABSENT`."""
    if isinstance(value, Document):
        if key == "modules":
            return value.modules or ABSENT
        value = value.sections
    elif isinstance(value, ModuleConfig):
        own = {
            "type": value.type,
            "config": value.config,
            "dependsOn": value.depends_on,
        }
        if key in own:
            return own[str(key)] or ABSENT
        value = value.extra
    return value.get(key, ABSENT) if isinstance(value, dict) else ABSENT
