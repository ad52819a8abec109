"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from midflight import Runtime

F = TypeVar("F", bound=Callable[..., Any])
_SPEC = re.compile(r"(?P<name>[^=]+)=(?P<module>[\w.]+):(?P<attribute>[\w.]+)")


class Sources(NamedTuple):
    """Where the configuration comes from, and what beyond the installed it may use.

    Args:
        uris: source URIs, lowest layer first; `URI@VERSION` is one version.
        modules: module types given on the command line, by name.
        plugins: names of cross-cutting plugins to allow.
    """

    uris: tuple[str, ...]
    modules: Mapping[str, Any] = {}
    plugins: tuple[str, ...] = ()

    def runtime(self, *observers: object, **options: Any) -> Runtime:
        """Make a runtime of it, not started.

        Args:
            observers: further plugins, as objects.
            options: what else `Runtime` takes.

        Raises:
            PluginError: if something named is not installed.
            MissingVersionError: if a version that is named is not kept.
        """
        from midflight import PluginRegistry, Runtime
        from midflight_plugins.cli._versions import layer

        registry = PluginRegistry()
        return Runtime(
            [layer(uri, registry, self.plugins) for uri in self.uris],
            plugins=(*self.plugins, *observers),
            modules=self.modules,
            registry=registry,
            **options,
        )


def uri_of(word: str) -> str:
    """Return the URI of a source that may be given as a plain file."""
    is_uri = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", word) and not Path(word).exists()
    return word if is_uri else f"file:{word}"


def _import_types(
    _ctx: click.Context, _option: click.Parameter, specs: tuple[str, ...]
) -> tuple[tuple[str, Any], ...]:
    """Import each class named as `NAME=package.module:Class`."""
    return tuple(map(_import_type, specs))


def _import_type(spec: str) -> tuple[str, Any]:
    found = _SPEC.fullmatch(spec)
    if found is None:
        msg = f"{spec!r} is not NAME=package.module:Class"
        raise click.BadParameter(msg)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        target: Any = importlib.import_module(found["module"])
        for name in found["attribute"].split("."):
            target = getattr(target, name)
    except (Exception, SystemExit) as exc:
        msg = f"cannot import {spec!r}: {type(exc).__name__}: {exc}"
        raise click.BadParameter(msg) from exc
    return found["name"], target


module_option = click.option(
    "--module",
    "modules",
    multiple=True,
    callback=_import_types,
    metavar="NAME=PKG.MODULE:CLASS",
    help="Add a module type from a class, also from the current directory. Repeatable.",
)
plugin_option = click.option(
    "-p",
    "--plugin",
    "plugins",
    multiple=True,
    metavar="NAME",
    help="Allow a cross-cutting plugin of another distribution. Repeatable.",
)

expect_option = click.option(
    "--expect",
    metavar="VERSION",
    help="Refuse unless this is still the newest version; `none` for the very first.",
)
check_option = click.option(
    "--check/--no-check",
    default=True,
    help="Refuse what the modules installed here refuse (the default), or only warn.",
)
author_option = click.option(
    "--author",
    metavar="NAME",
    envvar="MIDFLIGHT_AUTHOR",
    show_envvar=True,
    help="Who puts it.  [default: user@host]",
)


def source_options(command: F) -> F:
    """Add FILE and the options beside it; hand them over as `sources`."""

    @click.argument("file", required=False)
    @click.option(
        "--source",
        "uris",
        multiple=True,
        metavar="URI",
        help="Where the configuration comes from; FILE means file:FILE.",
    )
    @module_option
    @plugin_option
    @functools.wraps(command)
    def gather(
        *args: Any,
        file: str | None,
        uris: tuple[str, ...],
        modules: tuple[tuple[str, Any], ...],
        plugins: tuple[str, ...],
        **options: Any,
    ) -> Any:
        if file is not None:
            uris = (uri_of(file), *uris)
        if not uris:
            msg = "give a FILE, or a --source URI"
            raise click.UsageError(msg)
        sources = Sources(uris, dict(modules), plugins)
        return command(*args, sources=sources, **options)

    return gather  # type: ignore[return-value]  # click calls it by keyword


def format_option(*forms: str) -> Callable[[F], F]:
    """Add `--format`, the first of `forms` being the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="How the result is written.",
    )
