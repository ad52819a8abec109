"""`midflight override`: set single values above all layers, and take them back."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from midflight_plugins.api import Client, client_options, given_client


def _options(command: Any) -> Any:
    """Add what every subcommand takes."""
    command = client_options(command)
    for option in (
        click.option(
            "--format",
            "form",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="How the result is written.",
        ),
        click.option(
            "--store",
            metavar="URI",
            help="Where overrides are kept, such as `file:overrides.yaml`.  "
            "[default: the setting `overrides.store`]",
        ),
    ):
        command = option(command)
    return command


def _change_options(command: Any) -> Any:
    """Add what every change takes."""
    for option in (
        click.option(
            "--state-dir",
            "folder",
            metavar="DIR",
            help="That of a running service: it is asked to apply the change at once, "
            "and what it refuses is taken back.  [default: as in `midflight settings`, "
            "if one runs there]",
        ),
        click.option(
            "--expect",
            metavar="VERSION",
            help="Refuse unless the store is at this version; `none` for an empty one.",
        ),
        click.option(
            "--author",
            metavar="NAME",
            envvar="MIDFLIGHT_AUTHOR",
            show_envvar=True,
            help="Who does it.  [default: user@host]",
        ),
        click.option("-m", "--message", default="", help="Why, for the history."),
    ):
        command = option(command)
    return command


@click.group()
def override() -> None:
    """Set single values above all layers, and take them back."""


@override.command("set")
@click.argument("path")
@click.argument("value")
@click.option("--string", is_flag=True, help="Take VALUE as text, whatever it is.")
@_change_options
@_options
@click.pass_context
def set_(ctx: click.Context, /, path: str, value: str, **options: Any) -> None:
    """Set the value at PATH, such as `modules.web.config.port`.

    VALUE is JSON if it can be read as JSON, else text: 8080, true, '["a", "b"]',
    hello. A key that holds a dot stands in double quotes: 'modules."a.b".config'.
    Values that begin with a dash stand after `--`; a `-` alone reads VALUE from the
    standard input, so that no list of processes shows it.
    """
    from midflight_plugins.overrides._command import value_of

    content = value_of(value, as_text=options.pop("string"))
    ctx.exit(_changed(ctx, path, content, options))


@override.command()
@click.argument("path")
@_change_options
@_options
@click.pass_context
def unset(ctx: click.Context, /, path: str, **options: Any) -> None:
    """Take the override at PATH away, or all below it."""
    from midflight_plugins.overrides._planned import UNSET

    ctx.exit(_changed(ctx, path, UNSET, options))


@override.command("list")
@_options
def list_(store: str | None, form: str, **options: Any) -> None:
    """List every override; secrets are not shown."""
    client = _client(options, is_local=store is not None)
    if client is not None:
        from midflight_plugins.overrides._remote import listed as ask

        ask(client, form)
        return
    from midflight_plugins.overrides._command import listed

    listed(store, form)


def _changed(ctx: click.Context, path: str, value: Any, options: dict[str, Any]) -> int:
    """Make a change in the store, or let the service of `--url` make it."""
    local = any(options[name] is not None for name in ("store", "folder"))
    client = _client(options, is_local=local)
    if client is None:
        from midflight_plugins.overrides._command import change

        return change(path, value, **options)
    from midflight_plugins.overrides._remote import change as ask

    if ctx.get_parameter_source("author") is ParameterSource.COMMANDLINE:
        msg = "--author is for a store; a service knows who asks by the token"
        raise click.UsageError(msg)
    for name in ("store", "folder", "author"):
        del options[name]
    return ask(client, path, value, **options)


def _client(options: dict[str, Any], *, is_local: bool) -> Client | None:
    """Return what asks the service of a URL, or that of the settings' state directory.

    The latter only where no store is named: the service knows its own.
    """
    from midflight_plugins.overrides._settings import state_dir, store_uri

    named = is_local or bool(store_uri())
    own = None if named and not options["url"] else state_dir()
    client = given_client(options, own, is_local=is_local)
    if client is None and own and not named:
        return Client.beside(own)
    return client
