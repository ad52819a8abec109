"""Makes the participants of a runtime from what its user names or hands over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from midflight._plugins import OURS, Hooks, Participant, PluginRegistry, create
from midflight.errors import PluginApiError, PluginError

_log = logging.getLogger("midflight")
Source = str | object  # a mapping is a `type` and its options


def register(
    hooks: Hooks, registry: PluginRegistry, plugins: Iterable[str | object]
) -> None:
    """Register our own plugins and those that are allowed; isolate broken ones.

    Raises:
        PluginError: if a name is unknown, or an object that was handed over is wrong.
    """
    known = [entry for entry in registry.entries() if entry.role == "plugin"]
    ours = [entry.name for entry in known if entry.distribution == OURS]
    given = (*ours, *plugins)
    for plugin in {p if isinstance(p, str) else id(p): p for p in given}.values():
        if not isinstance(plugin, str):
            hooks.register(plugin)
            continue
        try:
            found = registry.load("plugin", plugin)
            if isinstance(found, type):
                found = create(found, f"plugin `{plugin}`")
            hooks.register(found, plugin)
        except PluginError as exc:
            if plugin not in {entry.name for entry in known}:
                raise
            _log.error("%s", exc)


def strategy_of(
    hooks: Hooks, registry: PluginRegistry, strategy: str | object, deadline: float
) -> Participant:
    """Make a strategy of a name or an object.

    Raises:
        PluginError: if there is none of that name, or its hooks are wrong.
    """
    label = f"strategy `{strategy}`"
    if isinstance(strategy, str):
        strategy = create(registry.load("strategy", strategy), label)
    else:
        label = f"strategy `{type(strategy).__name__}`"
    return hooks.participant("strategy", strategy, label, deadline)


def source_of(
    hooks: Hooks,
    registry: PluginRegistry,
    source: Source | Sequence[Source],
    deadline: float,
    name: str = "",
) -> Participant:
    """Make a source of a URI, a mapping, an object or a list of them.

    Raises:
        PluginError: if there is none of that scheme, or its hooks are wrong.
    """
    if isinstance(source, list | tuple) and len(source) == 1:
        source = source[0]
    label = type(source).__name__
    if isinstance(source, list | tuple):
        composite = registry.load("source", "composite")
        source = create(composite, "source `composite`", layers=list(source))
    elif isinstance(source, str):
        label, colon, rest = source.partition(":")
        if not colon:
            msg = f"source `{source}` is no URI; write `file:{source}` for a file"
            raise PluginError(msg)
        make = getattr(registry.load("source", label), "from_uri", None)
        if make is None:
            msg = f"source `{label}` has no classmethod `from_uri(rest)`"
            raise PluginApiError(msg)
        source = create(make, f"source `{label}`", rest)
    elif isinstance(source, Mapping):
        options = {str(key): value for key, value in source.items()}
        label = str(options.pop("type", ""))
        source = create(registry.load("source", label), f"source `{label}`", **options)
    label = f"source `{name or getattr(source, 'name', None) or label}`"
    return hooks.participant("source", source, label, deadline)
