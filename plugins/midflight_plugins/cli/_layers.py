"""Makes one source of the layers that a command line or settings name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midflight import PluginRegistry
from midflight_plugins.cli._versions import layer


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
