"""What the command line says of settings, before it is read.

The root context of click holds it: a command of a plugin finds the settings, a
mapping of values by name, at `click.get_current_context().find_root().obj`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from midflight import Fault, PluginRegistry
    from midflight_plugins.cli._resolved import Settings


class Given(Mapping[str, Any]):
    """The settings, found when first asked for; `state_dir` is a path or `None`.

    Where nothing says which state directory is meant, it is that of the only service
    that runs.
    """

    def __init__(self) -> None:
        self.file: str | None = None
        self.sets: list[str] = []
        self.bare = False
        self.form = ""
        self.options: Mapping[str, Any] = {}

    def told(self, **options: Any) -> Given:
        """Return the settings that hold where options of a command say some of them.

        Args:
            options: values as a settings file holds them, such as `source=["a.yaml"]`.

        Raises:
            ValueError: if a setting cannot hold its value.
        """
        from midflight_plugins.cli._settings import BY_NAME

        found = copy.copy(self)
        taken = {name: BY_NAME[name].kind.take(each) for name, each in options.items()}
        found.options = {**self.options, **taken}
        return found

    def resolve(self, options: Mapping[str, Any] | None = None) -> Settings:
        """Find the value of every setting.

        Args:
            options: what options of the command said, by the name of the setting.

        Raises:
            SettingsError: with everything that is wrong.
        """
        from midflight_plugins.cli._resolved import resolve

        bare = {"allow": ()} if self.bare else {}
        said = {**self.options, **(options or {}), **bare}
        return resolve(self.file, self.sets, said)

    def checked(self, highest: object) -> tuple[Fault, ...]:
        """Return what is wrong with the configuration of the settings.

        Nothing is, as far as can be told, if they name none.

        Args:
            highest: the layer to lay on top, in the place of the store of overrides.

        Raises:
            MidflightError: if it cannot be read.
        """
        from midflight import Runtime
        from midflight_plugins.cli._beneath import Beneath
        from midflight_plugins.cli._layers import source
        from midflight_plugins.cli._options import Sources

        settings = self.resolve()
        if not settings.sources:
            return ()
        known = Sources(settings.sources, settings=settings)
        registry, allowed = known.registry(), known.allowed
        layers = (*known.uris, {"name": "overrides", "source": highest})
        whole = source(layers, {"merge": settings["merge"]}, registry, allowed)
        admin, types = settings["admin"], known.types()
        plugins = (*allowed, *([Beneath(admin)] if admin else []))
        return Runtime(whole, plugins=plugins, modules=types, registry=registry).check()

    def __getitem__(self, name: str) -> Any:
        settings = self.resolve()
        if name != "state_dir":
            return settings[name]
        from midflight_plugins.cli._state_dir import directory_of, running

        found = directory_of(settings)
        if found or settings["state_dir"] is False:
            return found
        alive = running()
        return str(alive[0]) if len(alive) == 1 else None

    def __iter__(self) -> Iterator[str]:
        return iter(self.resolve())

    def __len__(self) -> int:
        return len(self.resolve())


def registry(plugins: Sequence[str] = ()) -> PluginRegistry:
    """Return the plugins that the settings of the command under way let in.

    Args:
        plugins: what `-p` of the command says.

    Raises:
        SettingsError: if they are wrong.
    """
    given = click.get_current_context().find_root().ensure_object(Given)
    return given.resolve().registry(plugins)
