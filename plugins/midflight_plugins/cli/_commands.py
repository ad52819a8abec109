"""Commands that plugins add, found by entry points of `midflight.commands`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from midflight_plugins.cli._given import Given

if TYPE_CHECKING:
    from midflight import PluginRegistry

GROUP = "midflight.commands"


class Commands(click.Group):
    """A group that offers the commands of plugins beside its own.

    One is imported when it is named, not for help. Its own names win.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, its own first."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in listed() if name not in own)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command, which a plugin's is imported for.

        Raises:
            PluginError: if it is broken, or in dispute.
        """
        return super().get_command(ctx, name) or _load(ctx, name)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the list of commands for help; those of plugins by name only."""
        own = super().list_commands(ctx)
        found = {name: super(Commands, self).get_command(ctx, name) for name in own}
        size = formatter.width - 6 - max(map(len, own))
        rows = [
            (name, each.get_short_help_str(size))
            for name, each in found.items()
            if each
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        others = [name for name in self.list_commands(ctx) if name not in own]
        if others:
            with formatter.section("Commands of plugins"):
                hint = "See `midflight {0} --help`."
                formatter.write_dl([(name, hint.format(name)) for name in others])


def listed() -> list[str]:
    """Return the names that installed distributions declare, sorted.

    Reads the files themselves: `importlib.metadata` alone would double the time that
    help takes. One that only it can find is not listed, but works.
    """
    return sorted({name for file in _declarations() for name in _names(file)})


def _declarations() -> Iterator[str]:
    """Yield the path of every distribution's `entry_points.txt`, if it has one."""
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208  # a tenth of the time of a `Path`
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                yield os.path.join(folder, name, "entry_points.txt")  # noqa: PTH118  # the same


def _names(file: str) -> Iterator[str]:
    try:
        with open(file, encoding="utf-8") as text:  # noqa: PTH123  # the same
            lines = [line.strip() for line in text]
    except (OSError, ValueError):
        return
    section = ""
    for line in lines:
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == GROUP and "=" in line and line[0] not in "#;":
            yield line.partition("=")[0].strip()


def _load(ctx: click.Context, name: str) -> click.Command | None:
    from midflight.errors import PluginError

    registry = _registry(ctx, name)
    if name not in registry.names("command"):
        return None
    command: Any = registry.load("command", name)
    if not isinstance(command, click.Command):
        msg = f"command `{name}` is no `click.Command`, but {type(command).__name__}"
        raise PluginError(msg)
    return command


def _registry(ctx: click.Context, name: str) -> PluginRegistry:
    """Return the plugins that settings let in; wrong settings let in ours only.

    Raises:
        SettingsError: if they are wrong, and the command is not one of ours.
    """
    from midflight import PluginRegistry
    from midflight.errors import InvalidConfigurationError

    try:
        return ctx.find_root().ensure_object(Given).resolve().registry()
    except InvalidConfigurationError:
        ours = PluginRegistry(allow=())
        if not any(
            (each.role, each.name, each.state) == ("command", name, "available")
            for each in ours.entries()
        ):
            raise
        return ours
