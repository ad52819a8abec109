"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from midflight_plugins.cli._given import Given
from midflight_plugins.cli._idle import warned
from midflight_plugins.cli._kinds import Kind, Seconds, uri_of
from midflight_plugins.cli._listener import Listener
from midflight_plugins.cli._settings import BY_NAME, SETTINGS
from midflight_plugins.cli._types import import_type

if TYPE_CHECKING:
    from midflight import PluginRegistry, Runtime
    from midflight_plugins.cli._resolved import Settings

F = TypeVar("F", bound=Callable[..., Any])
_SPEC = re.compile(r"(?P<name>[^=]+)=(?P<spec>[\w.]+:[\w.]+)")
_FIELDS = {setting.field: setting.name for setting in SETTINGS}


class Sources(NamedTuple):
    """Where the configuration comes from, and what beyond the installed it may use.

    Args:
        uris: source URIs, or layers as mappings, the lowest first; `URI@VERSION` is
            one version.
        modules: module types given on the command line, by name.
        plugins: names of cross-cutting plugins to allow.
        settings: adds what the settings say of the same.
        layered: whether settings also say how layers are merged, and what lies on top.
        path: the PATH of `explain`, which stands where others have their FILE.
    """

    uris: tuple[str | Mapping[str, Any], ...]
    modules: Mapping[str, Any] = {}
    plugins: tuple[str, ...] = ()
    settings: Settings | None = None
    layered: bool = False
    path: str | None = None

    def runtime(self, *observers: object, **options: Any) -> Runtime:
        """Make a runtime of it, not started.

        Args:
            observers: further plugins, as objects.
            options: what else `Runtime` takes.

        Raises:
            PluginError: if something named is not installed.
            MissingVersionError: if a version that is named is not kept.
            click.UsageError: if nothing says where the configuration is.
            SettingsError: if a module type of the settings cannot be imported.
        """
        from midflight import Runtime
        from midflight_plugins.cli._layers import source

        if not self.uris:
            msg = "give a FILE, or a --source URI, or write a midflight.toml"
            if self.path is not None and os.path.exists(self.path):  # noqa: PTH110  # no heavier import for it
                msg = f"{self.path} is taken for PATH, which comes before FILE; {msg}"
            raise click.UsageError(msg)
        registry = self.registry()
        how: Mapping[str, Any] = self.settings or {}
        if self.settings:
            options = {"deadline": self.settings["deadline"], **options}
        return Runtime(
            source(self.uris, how if self.layered else {}, registry, self.allowed),
            plugins=(*self.allowed, *observers),
            modules=self.types(),
            registry=registry,
            **options,
        )

    def registry(self) -> PluginRegistry:
        """Return the plugins that settings and command line let in."""
        from midflight import PluginRegistry

        if self.settings:
            return self.settings.registry(self.plugins)
        return PluginRegistry().without(self.plugins)

    @property
    def allowed(self) -> tuple[str, ...]:
        """The plugins that settings and command line allow."""
        return (*(self.settings["plugins"] if self.settings else ()), *self.plugins)

    def types(self) -> dict[str, Any]:
        """Import the module types of the settings; those of the command line win.

        Raises:
            SettingsError: with each that cannot be imported.
        """
        return {**(self.settings.types() if self.settings else {}), **self.modules}


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
    try:
        return found["name"], import_type(found["spec"])
    except ImportError as exc:
        raise click.BadParameter(str(exc)) from exc


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
    callback=warned,
    metavar="NAME",
    help="Let a cross-cutting plugin of another distribution take part; `no:NAME` "
    "blocks any plugin, also one of ours. Repeatable.",
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


def _note(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    """Keep what goes for all settings for whoever asks for them."""
    given = ctx.find_root().ensure_object(Given)
    if option.name == "set":
        given.sets += value
    elif option.name == "no_plugins":
        given.bare = given.bare or value
    elif value:
        given.file = value


def settings_options(command: F) -> F:
    """Add `--settings`, `--set` and `--no-plugins`, also for before the command."""
    command = click.option(
        "--no-plugins",
        is_flag=True,
        expose_value=False,
        callback=_note,
        help="Import nothing of other distributions, whatever the settings allow.",
    )(command)
    command = click.option(
        "--set",
        "set",
        multiple=True,
        expose_value=False,
        callback=_note,
        metavar="NAME=VALUE",
        help="Set one of `midflight settings`. Repeatable.",
    )(command)
    return click.option(
        "--settings",
        expose_value=False,
        callback=_note,
        metavar="FILE",
        help="Use this settings file, not that of the current directory.",
    )(command)


def setting_option(name: str) -> Callable[[F], F]:
    """Add the option of a setting; it is `None` where it is not given."""
    setting = BY_NAME[name]
    shown = f"{setting.default:g}" if setting.kind.__class__ is Seconds else ""
    shown = shown or str(setting.default)
    is_flag = setting.option.count("--") > 1
    default = f"  [default: {shown}]" if shown and not is_flag else ""
    return click.option(
        setting.option,
        setting.field,
        type=_type(setting.kind),
        default=None,
        metavar=setting.metavar or None,
        help=f"{setting.help}{default}",
    )


class _Word(click.ParamType[Any]):
    """A word; its limits are in the error, and not in the way of the help."""

    name = "word"

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Take what a word means."""
        try:
            return self._kind.take(self._kind.plain(str(value)))
        except ValueError:
            self.fail(f"{value!r} is not {self._kind.expected}", param, ctx)


def _type(kind: Kind) -> click.ParamType[Any] | None:
    if isinstance(kind, Seconds | Listener):
        return _Word(kind)
    return click.Choice(kind.choices, case_sensitive=False) if kind.choices else None


def state_dir_options(command: F) -> F:
    """Add `--state-dir` and `--no-state`."""
    setting = BY_NAME["state_dir"]
    command = click.option("--no-state", is_flag=True, help="Keep no state.")(command)
    return click.option(
        "--state-dir",
        metavar="DIR",
        callback=lambda _ctx, _option, word: _directory(setting.kind, word),
        help="Where the state of the service is.  [default: a directory of "
        "its own, see `midflight settings`]",
    )(command)


def _directory(kind: Kind, word: str | None) -> Any:
    try:
        return word if word is None else kind.take(word)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


def settled(options: dict[str, Any]) -> Settings:
    """Take the options of settings out of those of a command, and find all settings.

    Raises:
        SettingsError: with everything that is wrong.
    """
    if options.pop("no_state", False):
        options["state_dir"] = False
    names = [field for field in options if field in _FIELDS]
    given = {_FIELDS[field]: options.pop(field) for field in names}
    said = {name: value for name, value in given.items() if value is not None}
    obj = click.get_current_context().find_root().ensure_object(Given)
    return obj.resolve(said)


def source_options(command: F) -> F:
    """Add FILE and the options beside it; hand them over as `sources`."""

    @click.argument("file", required=False)
    @click.option(
        "--source",
        "uris",
        multiple=True,
        metavar="URI",
        help="Where the configuration comes from; FILE means file:FILE. Several are "
        "layers, the lowest first.  [default: as in midflight.toml]",
    )
    @module_option
    @plugin_option
    @settings_options
    @functools.wraps(command)
    def gather(
        *args: Any,
        file: str | None,
        uris: tuple[str, ...],
        modules: tuple[tuple[str, Any], ...],
        plugins: tuple[str, ...],
        **options: Any,
    ) -> Any:
        if options.get("whole") and file is None:  # `explain --all FILE`
            file, options["path"] = options["path"], None
        words = uris if file is None else (file, *uris)
        options["source"] = tuple(map(uri_of, words)) or None
        settings = settled(options)
        sources = Sources(
            settings.sources, dict(modules), plugins, settings, layered=True
        )._replace(path=options.get("path"))
        return command(*args, sources=sources, **options)

    return gather  # type: ignore[return-value]  # click calls it by keyword


def service_source_option(command: F) -> F:
    """Add `--source` to a command whose words are no FILE; `settled` takes it."""
    return click.option(
        "--source",
        "source",
        multiple=True,
        metavar="URI",
        callback=lambda _ctx, _option, words: tuple(map(uri_of, words)) or None,
        help="Which service: what its `run` was given; FILE means file:FILE. "
        "Repeatable.",
    )(command)


def operand(word: str | None, settings: Settings, **more: Any) -> Sources:
    """Return the sources of a word of a command, by default those of the settings."""
    if word is not None:
        return Sources((uri_of(word),), settings=settings, **more)
    return Sources(settings.sources, settings=settings, layered=True, **more)


def _form(ctx: click.Context, _option: click.Parameter, form: str) -> str:
    """Keep how the result is written for an error that comes instead of it."""
    ctx.find_root().ensure_object(Given).form = form
    return form


def format_option(*forms: str) -> Callable[[F], F]:
    """Add `--format`, the first of `forms` being the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        callback=_form,
        help="How the result is written.",
    )
