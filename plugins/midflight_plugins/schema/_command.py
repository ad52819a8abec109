"""`midflight schema`: the JSON Schema of a configuration, for editors."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from midflight import PluginRegistry, Runtime, hookimpl
from midflight.errors import PluginError


class _Nothing:
    """The source of a runtime that is asked for schemas only."""

    @hookimpl
    def load(self) -> dict[str, Any]:
        """Return an empty configuration."""
        return {}


@click.command()
@click.argument("file", required=False)
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="URI",
    help="Describe the module types that this configuration has; FILE means "
    "file:FILE. Repeatable.",
)
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Describe this module type, and no other that is not named. Repeatable.",
)
@click.option(
    "--module",
    "modules",
    multiple=True,
    metavar="NAME=PKG.MODULE:CLASS",
    help="Add a module type from a class, also from the current directory. Repeatable.",
)
@click.option(
    "-p",
    "--plugin",
    "plugins",
    multiple=True,
    metavar="NAME",
    help="Let a cross-cutting plugin of another distribution take part; `no:NAME` "
    "blocks any plugin. Repeatable.",
)
@click.option(
    "--layer",
    is_flag=True,
    help="For one of several layers: nothing is required, and `$patch` is known.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Write it there, not to standard output.",
)
def schema(
    file: str | None,
    sources: tuple[str, ...],
    types: tuple[str, ...],
    modules: tuple[str, ...],
    plugins: tuple[str, ...],
    layer: bool,
    output: str | None,
) -> None:
    """Write the JSON Schema of a whole configuration, for editors.

    It describes every module type that is installed or in the settings; with FILE,
    --source or --type those alone that are named so, and no other is imported. A type
    that cannot be imported is named on standard error.
    """
    from midflight_plugins.schema._whole import whole

    allow = _settings().get("allow", True)
    given, registry = (
        _given(modules),
        PluginRegistry(allow=None if allow is True else allow),
    )
    allowed = (*_settings().get("plugins", ()), *plugins)
    runtime = Runtime(_Nothing(), modules=given, plugins=allowed, registry=registry)
    known = sorted({*given, *registry.names("module")})
    uris = [uri if ":" in uri else f"file:{uri}" for uri in sources]
    uris = [f"file:{file}", *uris] if file else uris
    for name in types:
        if name not in known:
            what = "no module type is called"
            raise PluginError.unknown(what, name, known)
    named = {*types, *_used(uris, given, allowed, registry)}
    wanted = named if uris or types else known
    made, notes = whole(runtime, wanted, known, layer=layer)
    for name, why in notes.items():
        click.echo(f"note: without `{name}`: {why}", err=True)
    text = json.dumps(made, indent=2, ensure_ascii=False, default=str)
    if output is None:
        click.echo(text)
    else:
        try:
            Path(output).write_text(f"{text}\n", encoding="utf-8")
        except OSError as exc:
            msg = f"cannot write {output}: {exc.strerror}"
            raise click.BadParameter(msg, param_hint="'-o'") from exc


def _used(
    uris: list[str],
    given: Mapping[str, Any],
    plugins: Iterable[str],
    registry: PluginRegistry,
) -> Iterator[str]:
    """Yield the module types of a configuration."""
    if uris:
        runtime = Runtime(uris, modules=dict(given), plugins=plugins, registry=registry)
        for module in runtime.read()[0].modules.values():
            yield module.type


def _settings() -> Mapping[str, Any]:
    found = click.get_current_context().find_root().obj
    return found if isinstance(found, Mapping) else {}


def _given(specs: tuple[str, ...]) -> dict[str, Any]:
    """Import the module types of the settings and of the command line."""
    named = dict(_settings().get("modules") or {})
    for spec in specs:
        name, sign, target = spec.partition("=")
        if not sign or ":" not in target:
            msg = f"{spec!r} is not NAME=package.module:Class"
            raise click.BadParameter(msg, param_hint="'--module'")
        named[name] = target
    return {name: _imported(name, target) for name, target in named.items()}


def _imported(name: str, target: str) -> Any:
    if os.getcwd() not in sys.path:  # noqa: PTH109  # an entry of `sys.path` is text
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  # as above
    module, _, attribute = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for word in attribute.split("."):
            found = getattr(found, word)
    except (Exception, SystemExit) as exc:
        msg = f"cannot import {name}={target}: {type(exc).__name__}: {exc}"
        raise click.BadParameter(msg, param_hint="'--module'") from exc
    return found
