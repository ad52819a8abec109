"""What was read for a generation: its layers, its document before any `transform`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from midflight import Document, Loaded

if TYPE_CHECKING:
    from midflight.hookspecs import Layer

# What the routes call, none of it a hook: an object that lacks one is another source.
_METHODS = ("set", "unset", "rewrite", "keys", "head", "list")


def raw_document(loaded: Loaded) -> Document:
    """Return the document that was loaded, before any plugin changed it."""
    raw = loaded.document
    if isinstance(raw, Document):
        return raw
    return Document.from_mapping(raw, loaded.positions)


def raw_in_force(snapshot: Any) -> Document:
    """Return what was read for a snapshot, before any plugin changed it."""
    loaded: Loaded | None = snapshot.loaded
    found: Document = raw_document(loaded) if loaded else snapshot.document
    return found


def overrides_layer(snapshot: Any) -> Layer | None:
    """Return the topmost layer in which single values can be set."""
    layers: Sequence[Layer] = snapshot.loaded.layers if snapshot.loaded else ()
    for layer in reversed(layers):
        target = getattr(layer.participant, "target", None)
        if all(hasattr(target, method) for method in _METHODS):
            return layer
    return None


def stored_in(layer: Layer | None) -> Document:
    """Return what a layer gave, an empty document if nothing."""
    return raw_document(layer.loaded) if layer and layer.loaded else Document()
