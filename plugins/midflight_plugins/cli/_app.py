"""The command line at a glance: every command with its options.

What a command does stands in a file of its own, imported when it runs, so that help
is quick.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from midflight_plugins.cli._commands import Commands
from midflight_plugins.cli._options import (
    Sources,
    author_option,
    check_option,
    expect_option,
    format_option,
    module_option,
    plugin_option,
    source_options,
    uri_of,
)
from midflight_plugins.cli._passwords import refuse


class App(Commands):
    """A group whose commands end every expected error as a text and an exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse a password on the command line, whatever the command."""
        if not ctx.resilient_parsing:
            try:
                refuse(args)
            except click.UsageError as exc:
                exc.ctx = ctx
                raise
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; no error of Midflight leaves it as a traceback."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as exc:
            from midflight_plugins.cli._exits import report

            code = report(exc)
            if code is None:
                raise
            ctx.exit(code)


def _version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        from midflight import __version__

        click.echo(f"midflight {__version__}")
        ctx.exit()


@click.group(
    cls=App,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
    epilog="Exit codes: 0 ok, 1 invalid configuration, 2 usage, 3 source unavailable, "
    "4 apply or put failed.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_context
def app(ctx: click.Context) -> None:
    """Change a running service's configuration mid-flight: all or nothing."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@app.command()
@source_options
@click.option(
    "--watch/--no-watch", help="Follow changes by itself, not only at SIGHUP."
)
@click.option(
    "--strategy",
    default="surgical",
    show_default=True,
    metavar="NAME",
    help="Who decides what a change needs; see `midflight plugins`.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="What one hook of a module may take.",
)
@click.option(
    "--shutdown",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="What stopping may take; what hangs longer is left behind.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait at the start for a source that cannot be read yet, such as "
    "a table that is still empty.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines for people, or one JSON object per line.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
    help="The least that is logged, until a `logging` module takes over.",
)
@click.pass_context
def run(ctx: click.Context, /, sources: Sources, **options: Any) -> None:
    """Run the modules of a configuration, and reconfigure them as it changes.

    SIGHUP reloads, SIGUSR1 approves what the strategy `hold` holds, SIGTERM and SIGINT
    stop. What happens is logged to standard error.
    """
    from midflight_plugins.cli._run import serve

    ctx.exit(serve(sources, **options))


@app.command()
@source_options
@format_option("text", "json", "github")
@click.pass_context
def check(ctx: click.Context, sources: Sources, form: str) -> None:
    """Find every fault of a configuration, and start nothing."""
    from midflight_plugins.cli._check import check as body

    ctx.exit(body(sources, form))


@app.command()
@click.argument("old")
@click.argument("new")
@format_option("text", "json")
def diff(old: str, new: str, form: str) -> None:
    """Show what differs between two configurations.

    OLD and NEW are files or source URIs; URI@VERSION is a stored version. Exits 0
    whether they differ or not.
    """
    from midflight_plugins.cli._diff import diff as body

    body(old, new, form)


@app.command()
@click.argument("old")
@click.argument("new")
@click.option(
    "--strategy",
    default="surgical",
    show_default=True,
    metavar="NAME",
    help="Who decides; see `midflight plugins`.",
)
@module_option
@plugin_option
@format_option("text", "json")
@click.pass_context
def plan(ctx: click.Context, /, form: str, **options: Any) -> None:
    """Show what a change would do to which module, and why.

    OLD and NEW are files or source URIs, or URI@VERSION; OLD is taken as the running
    one.
    """
    from midflight_plugins.cli._plan import plan as body

    ctx.exit(body(form=form, **options))


@app.command()
@click.argument("path")
@source_options
@format_option("text", "json")
def explain(path: str, sources: Sources, form: str) -> None:
    """Show a value, such as `modules.web.config.port`, and where it was set.

    A PATH that holds other values shows all of them.
    """
    from midflight_plugins.cli._explain import explain as body

    body(path, sources, form)


@app.command()
@click.argument("uri")
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

    body(uri, form, output)


@app.command()
@click.argument("uri")
@click.argument("file")
@click.option("-m", "--message", required=True, help="Why; it goes into the history.")
@expect_option
@author_option
@check_option
@module_option
@plugin_option
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
    body(uri, Sources((word,), dict(modules), plugins), **options)


@app.command()
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


@app.command()
@click.argument("uri")
@click.argument("version")
@click.option("-m", "--message", help="Why.  [default: roll back to version VERSION]")
@expect_option
@author_option
@check_option
@module_option
@plugin_option
@format_option("text", "json")
def rollback(
    uri: str,
    version: str,
    modules: tuple[tuple[str, Any], ...],
    plugins: tuple[str, ...],
    **options: Any,
) -> None:
    """Store an old version once more, as the newest.

    It is checked like what is put: the modules installed here may refuse it by now.
    """
    from midflight_plugins.cli._put import rollback as body

    body(version, Sources((uri,), dict(modules), plugins), **options)


@app.command()
@format_option("text", "json")
def plugins(form: str) -> None:
    """List every installed plugin, also those that cannot be used."""
    from midflight_plugins.cli._plugins import plugins as body

    body(form, app.commands)


@app.command()
@module_option
@format_option("text", "json")
def modules(modules: tuple[tuple[str, Any], ...], form: str) -> None:
    """List the module types and what may stand in their `config`."""
    from midflight_plugins.cli._modules import modules as body

    body(dict(modules), form)


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    sys.exit(app(prog_name="midflight"))
