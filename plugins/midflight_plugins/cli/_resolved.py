"""The value of every setting, and who said so.

An option wins over `--set`, that over the environment, that over the settings file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from midflight import Fault, Place, PluginRegistry
from midflight.errors import Code
from midflight_plugins.cli._origins import (
    FILE,
    Found,
    Origin,
    misspelt,
    of_environment,
    of_file,
    of_options,
    of_sets,
)
from midflight_plugins.cli._settings import SETTINGS
from midflight_plugins.cli._settings_file import NAME, File, SettingsError, find
from midflight_plugins.cli._types import import_type

_SOURCES = ("source", "layers")


class Settings(Mapping[str, Any]):
    """The settings in force: a mapping of values by name.

    Args:
        found: the values with their origins.
        file: the settings file, if there is one.
    """

    def __init__(self, found: Mapping[str, Found], file: File | None) -> None:
        self.found, self.file = found, file

    def __getitem__(self, name: str) -> Any:
        return self.found[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    @property
    def sources(self) -> tuple[str | Mapping[str, Any], ...]:
        """Where the configuration comes from, lowest layer first; empty if nowhere."""
        return tuple(self["layers"] or self["source"])

    def registry(self, plugins: Sequence[str] = ()) -> PluginRegistry:
        """Return the plugins that are let in.

        Args:
            plugins: what the command line adds to the setting of that name.
        """
        words, (allow, _, place) = (*self["plugins"], *plugins), self.found["allow"]
        if allow is True:
            return PluginRegistry().without(words)
        found = PluginRegistry(allow=allow).without(words)
        for each in found.entries():
            if each.state == "not allowed":
                nobody = "nothing of other distributions is allowed"
                why = each.reason if allow else nobody
                each.reason = f"{why} ({place})"
        return found

    def types(self) -> dict[str, Any]:
        """Import the module types that the settings name.

        Raises:
            SettingsError: with each that cannot be imported.
        """
        value, origin, place = self.found["modules"]
        ours = self.file if origin == "file" else None
        types, faults = {}, []
        for name, spec in value.items():
            try:
                types[name] = import_type(spec, ours.folder if ours else "")
            except ImportError as exc:
                keys = ("modules", name)
                at = ours.place(keys) if ours else place
                faults.append(Fault(Code.E_PLUGIN, str(exc), keys, at))
        if faults:
            raise SettingsError(faults)
        return types


def resolve(
    file: str | None, sets: Sequence[str], options: Mapping[str, Any]
) -> Settings:
    """Find the value of every setting.

    Args:
        file: the settings file that was asked for.
        sets: what `--set` said, in its order.
        options: what options said, by the name of the setting.

    Raises:
        SettingsError: with everything that is wrong, whoever said it.
    """
    faults: list[Fault] = []
    read = find(file or os.environ.get(FILE))
    origins = [
        of_options(options, faults),
        of_sets(sets, faults),
        of_environment(faults),
        *([of_file(read, faults)] if read else []),
    ]
    _keep_one(origins)
    if faults:
        raise SettingsError(faults)
    found = {setting.name: Found(setting.default) for setting in SETTINGS}
    for origin in reversed(origins):
        found.update(origin)
    return Settings(found, read)


def _keep_one(origins: Sequence[Origin]) -> None:
    """Let the first origin that says where the configuration is say it alone."""
    said = [origin for origin in origins if not origin.keys().isdisjoint(_SOURCES)]
    for origin in said:
        if origin.keys() >= {*_SOURCES}:
            message = "and `source` both say where the configuration is"
            place = origin["layers"].place or Place(origin.name)
            origin.refuse("E_VALUE", message, ("layers",), place, hint="keep one")
    for origin in said[1:]:
        for name in _SOURCES:
            origin.pop(name, None)


def ignored(settings: Settings) -> list[str]:
    """Return a sentence for what looks like a setting and is not read."""
    aside = settings.file.aside if settings.file else ""
    wins = f"{aside} has [tool.midflight] too; {NAME} is read instead"
    return [*([wins] if aside else []), *misspelt()]
