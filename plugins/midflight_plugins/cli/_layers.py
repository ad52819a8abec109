"""Makes one source of the layers that a command line or settings name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from midflight import PluginRegistry
from midflight_plugins.cli._versions import layer

_OVERRIDES = "overrides.json"  # a put of JSON takes a third of the time


def source(
    given: Sequence[str | Mapping[str, Any]],
    settings: Mapping[str, Any],
    registry: PluginRegistry,
    plugins: Sequence[str],
) -> Any:
    """Return what `Runtime` takes as its source.

    Args:
        given: URIs, or layers as mappings, the lowest first.
        settings: how layers are merged and what lies on top of them; may be empty.
        registry: the plugins to find by name.
        plugins: names of cross-cutting plugins to allow.

    Raises:
        MissingVersionError: if a version that is named is not kept.
        MidflightError: if it cannot be read.
    """

    def pinned(uri: Any) -> Any:
        return layer(uri, registry, plugins) if isinstance(uri, str) else uri

    layers = [
        {**each, "source": pinned(each["source"])}
        if isinstance(each, Mapping) and "source" in each
        else pinned(each)
        for each in given
    ]
    if store := settings.get("overrides.store"):
        layers.append({"name": "overrides", "source": f"overrides:{store}"})
    if len(layers) == 1 and not isinstance(layers[0], Mapping):
        return layers[0]
    merge = settings.get("merge", "deep")
    return {"type": "composite", "layers": layers, "merge": merge}


def administered(
    given: Sequence[str | Mapping[str, Any]],
    settings: Mapping[str, Any],
    kept: str | None,
) -> tuple[tuple[str | Mapping[str, Any], ...], str]:
    """Return the layers of a service that has an admin, and what to say of it.

    A highest one is added for what its users change, if the settings do not name one.

    Args:
        given: the layers without it.
        settings: where it listens, and what lies on top.
        kept: the state directory.
    """
    about = f"with an admin at {settings['admin']}"
    if settings["overrides.store"] or any(map(_is_overrides, given)):
        return tuple(given), about
    store = f"file:{Path(kept, _OVERRIDES)}" if kept else "memory:"
    highest = {"name": "overrides", "source": f"overrides:{store}"}
    where = f"in {Path(kept, _OVERRIDES)}" if kept else "until the service ends"
    return (*given, highest), f"{about}; what it changes is kept {where}"


def _is_overrides(layer: Any) -> bool:
    """Tell whether a layer is one of overrides."""
    if isinstance(layer, Mapping):
        kind = layer.get("type")
        return kind == "overrides" or _is_overrides(layer.get("source"))
    return isinstance(layer, str) and layer.startswith("overrides:")
