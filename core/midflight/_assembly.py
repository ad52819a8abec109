"""Makes the participants of a runtime from what its user names or hands over."""

from __future__ import annotations

from collections.abc import Iterable

from midflight._entries import OURS, is_block
from midflight._plugins import Hooks, Participant, create
from midflight._system import log
from midflight.errors import PluginError


def register(hooks: Hooks, plugins: Iterable[str | object]) -> None:
    """Register our own plugins and those that are allowed; isolate broken ones.

    A `no:WORD` keeps away what it names, for the runtime as a whole.

    Raises:
        PluginError: if a name is unknown, or an object that was handed over is wrong.
    """
    plugins, runtime = tuple(plugins), hooks.runtime
    registry = runtime.registry = runtime.registry.without(plugins)
    known = [entry for entry in registry.entries() if entry.role == "plugin"]
    given = [
        *(e.name for e in known if e.distribution == OURS and e.state != "blocked"),
        *(each for each in plugins if not is_block(each)),
    ]
    for plugin in {p if isinstance(p, str) else id(p): p for p in given}.values():
        if not isinstance(plugin, str):
            hooks.register(plugin)
            continue
        try:
            found = registry.load("plugin", plugin)
            made = (
                create(found, f"plugin `{plugin}`")
                if isinstance(found, type)
                else found
            )
            hooks.register(made, plugin)
        except PluginError as exc:
            if plugin not in {entry.name for entry in known}:
                raise
            log.error("%s: %s", exc.code, exc)


def strategy_of(hooks: Hooks, strategy: str | object, deadline: float) -> Participant:
    """Make a strategy of a name or an object.

    Raises:
        PluginError: if there is none of that name, or its hooks are wrong.
    """
    name = strategy if isinstance(strategy, str) else type(strategy).__name__
    label = f"strategy `{name}`"
    if isinstance(strategy, str):
        strategy = create(hooks.runtime.registry.load("strategy", strategy), label)
    return hooks.participant("strategy", strategy, label, deadline)
