"""The commands for sources that keep versions, with their options."""

from __future__ import annotations

from typing import Any

import click

from midflight_plugins.cli._address import Address, address_options
from midflight_plugins.cli._asked import running_option, service_of
from midflight_plugins.cli._kinds import uri_of
from midflight_plugins.cli._options import (
    Sources,
    author_option,
    check_option,
    expect_option,
    format_option,
    module_option,
    operand,
    plugin_option,
    service_source_option,
    settings_options,
    settled,
    state_dir_options,
)


@click.command()
@click.argument("uri")
@settings_options
@format_option("text", "json")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write it there; the file is replaced only when all is written.",
)
def get(uri: str, form: str, output: str | None) -> None:
    """Show a configuration as it is stored, to the byte.

    URI@VERSION is a stored version. What was stored without its text is shown as JSON.
    With `--format json` its version and digest come with it.
    """
    from midflight_plugins.cli._get import get as body

    body(operand(uri, settled({})), form, output)


@click.command()
@click.argument("uri")
@click.argument("file")
@click.option("-m", "--message", required=True, help="Why; it goes into the history.")
@expect_option
@author_option
@check_option
@module_option
@plugin_option
@settings_options
@format_option("text", "json")
def put(
    uri: str,
    file: str,
    modules: tuple[tuple[str, Any], ...],
    plugins: tuple[str, ...],
    **options: Any,
) -> None:
    """Store a configuration as a new version.

    FILE is a file or the URI of a source; `-` is YAML from standard input. The text of
    one YAML or JSON file is stored as it is; of anything else, the document. The same
    content makes no new version. Module types not installed here are only named in a
    warning.
    """
    from midflight_plugins.cli._put import put as body

    word = file if file == "-" else uri_of(file)
    body(uri, Sources((word,), dict(modules), plugins, settled({})), **options)


@click.command()
@click.argument("uri")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="How many to show.",
)
@format_option("text", "json")
def history(uri: str, limit: int, form: str) -> None:
    """List the stored versions, newest first; times are UTC."""
    from midflight_plugins.cli._history import history as body

    body(uri, limit, form)


@click.command(
    epilog="Examples: midflight rollback database:sqlite:///app.db 3; "
    "midflight rollback --running 7"
)
@click.argument("words", nargs=-1, metavar="URI VERSION | [GENERATION]")
@running_option("Let a running service go back; without GENERATION, list them.")
@click.option(
    "--layer",
    metavar="NAME",
    help="With --running: back to a version that this layer stores.",
)
@click.option("-m", "--message", help="Why.  [default: roll back to version VERSION]")
@expect_option
@author_option
@check_option
@module_option
@plugin_option
@service_source_option
@settings_options
@state_dir_options
@address_options
@format_option("text", "json")
@click.pass_context
def rollback(
    ctx: click.Context,
    /,
    words: tuple[str, ...],
    running: bool,
    layer: str | None,
    modules: tuple[tuple[str, Any], ...],
    plugins: tuple[str, ...],
    address: Address,
    **options: Any,
) -> None:
    """Store an old version once more, as the newest.

    It is checked like what is put: the modules installed here may refuse it by now.

    With --running a service that runs goes back to one of its GENERATIONs, or to a
    digest; what it goes back to is a new generation.
    """
    named = options["source"]
    settings = settled(options)
    if running or address.is_named:
        from midflight_plugins.cli._revert import rollback as ask

        if len(words) > 1:
            msg = "with --running, give one GENERATION or none"
            raise click.UsageError(msg)
        service = service_of(settings, address)
        message = options["message"] or ""
        ctx.exit(ask(service, (*words, None)[0], layer, message, options["form"]))
    from midflight_plugins.cli._put import rollback as body

    if len(words) != 2 or layer or named:  # noqa: PLR2004  # URI and VERSION
        msg = "give URI and VERSION, or --running"
        raise click.UsageError(msg)
    given = Sources(words[:1], dict(modules), plugins, settings)
    body(words[1], given, **options)
