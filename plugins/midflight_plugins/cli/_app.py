"""The command line at a glance: every command with its options.

What a command does stands in a file of its own, imported when it runs, so that help
is quick.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from midflight_plugins.cli._address import Address, address_options
from midflight_plugins.cli._asked import (
    apply,
    reload,
    running_option,
    service_of,
    status,
)
from midflight_plugins.cli._commands import Commands
from midflight_plugins.cli._given import Given
from midflight_plugins.cli._options import (
    Sources,
    format_option,
    module_option,
    operand,
    plugin_option,
    service_source_option,
    setting_option,
    settings_options,
    settled,
    source_options,
    state_dir_options,
)
from midflight_plugins.cli._passwords import refuse
from midflight_plugins.cli._stored import get, history, put, rollback


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

            code = report(exc, ctx.ensure_object(Given).form)
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
@settings_options
@click.pass_context
def app(ctx: click.Context) -> None:
    """Change a running service's configuration mid-flight: all or nothing."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@app.command()
@source_options
@setting_option("watch")
@setting_option("strategy")
@setting_option("admin")
@state_dir_options
@setting_option("deadline")
@setting_option("shutdown")
@setting_option("wait")
@setting_option("log_format")
@setting_option("log_level")
@click.pass_context
def run(ctx: click.Context, sources: Sources) -> None:
    """Run the modules of a configuration, and reconfigure them as it changes.

    SIGHUP reloads, SIGUSR1 approves what the strategy `hold` holds, SIGTERM and SIGINT
    stop. What happens is logged to standard error. Where no option says otherwise, the
    settings do: see `midflight settings`.
    """
    from midflight_plugins.cli._run import serve

    ctx.exit(serve(sources))


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
@click.argument("new", required=False)
@settings_options
@format_option("text", "json")
def diff(old: str, new: str | None, form: str) -> None:
    """Show what differs between two configurations.

    OLD and NEW are files or source URIs; URI@VERSION is a stored version. Without NEW
    it is that of the settings. Exits 0 whether they differ or not.
    """
    from midflight_plugins.cli._diff import diff as body

    settings = settled({})
    body(operand(old, settings), operand(new, settings), form)


@app.command(
    epilog="Examples: midflight plan old.yaml new.yaml; "
    "midflight plan --running modules.web.config.port=8081"
)
@click.argument("words", nargs=-1, metavar="OLD [NEW] | PATH=VALUE...")
@running_option("Ask a running service what a change would do to it.")
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="NAME=FILE",
    help="With --running: give a module the whole configuration of a file. Repeatable.",
)
@click.option(
    "--unset",
    "unset",
    multiple=True,
    metavar="NAME",
    help="With --running: take away what overrides set of a module. Repeatable.",
)
@setting_option("strategy")
@module_option
@plugin_option
@service_source_option
@settings_options
@state_dir_options
@address_options
@format_option("text", "json")
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    words: tuple[str, ...],
    running: bool,
    configs: tuple[str, ...],
    unset: tuple[str, ...],
    address: Address,
    form: str,
    **options: Any,
) -> None:
    """Show what a change would do to which module, and why.

    OLD and NEW are files or source URIs, or URI@VERSION; OLD is taken as the running
    one. Without NEW it is that of the settings.

    With --running it is the change of a service that runs: PATH=VALUE sets one value
    of a module, as in `override set`, and `null` takes one away. Without any it is what
    a reload would do. What is shown is done by `midflight apply`.
    """
    more = {"modules": dict(options.pop("modules")), "plugins": options.pop("plugins")}
    named = options["source"]
    settings = settled(options)
    if running or address.is_named:
        from midflight_plugins.cli._planned import plan as ask

        service = service_of(settings, address)
        ctx.exit(ask(service, words, configs, unset, form))
    from midflight_plugins.cli._plan import plan as body

    if not 1 <= len(words) <= 2 or configs or unset or named:  # noqa: PLR2004  # OLD and NEW
        msg = "give OLD and NEW, or --running"
        raise click.UsageError(msg)
    sides = (*words, None)[:2]
    base, target = (operand(word, settings, **more) for word in sides)
    ctx.exit(body(base, target, settings["strategy"], form))


@app.command(
    epilog="Examples: midflight explain modules.web app.yaml; midflight explain --all; "
    "midflight explain modules.web --running"
)
@click.argument("path", required=False)
@source_options
@click.option("--all", "whole", is_flag=True, help="Show every value; without PATH.")
@running_option("Ask the running service instead.")
@state_dir_options
@address_options
@format_option("text", "json")
def explain(
    path: str | None,
    sources: Sources,
    whole: bool,
    running: bool,
    address: Address,
    form: str,
) -> None:
    """Show a value, such as `modules.web.config.port`, and where it was set.

    A PATH that holds other values shows all of them, with the layer that set each and
    what lower layers say. `--running` or `--url` ask a service what is in force.
    """
    from midflight_plugins.cli._explain import explain as body

    asks = running or address.is_named
    body(path, service_of(sources, address) if asks else sources, form, whole=whole)


app.add_command(get)
app.add_command(put)
app.add_command(history)
app.add_command(rollback)
app.add_command(status)
app.add_command(reload)
app.add_command(apply)


@app.command()
@settings_options
@format_option("text", "json")
def settings(form: str) -> None:
    """Show every setting, its value and where that comes from.

    In order: an option of the command, `--set`, the environment, the settings file,
    the default. The file is `midflight.toml`, or `[tool.midflight]` of
    `pyproject.toml`, in the current directory.
    """
    from midflight_plugins.cli._show import show

    show(settled({}), form)


@app.command()
@click.option(
    "--check",
    "tries",
    is_flag=True,
    help="Import each as well, in a process of its own, within `deadline` seconds.",
)
@plugin_option
@settings_options
@setting_option("deadline")
@format_option("text", "json")
@click.pass_context
def plugins(
    ctx: click.Context,
    /,
    plugins: tuple[str, ...],
    form: str,
    tries: bool,
    **options: Any,
) -> None:
    """List every installed plugin, also those that cannot be used.

    Nothing is imported for that, unless --check asks for it: then exit status 2 says
    that one cannot be.
    """
    from midflight_plugins.cli._plugins import plugins as body

    settings = settled(options)
    limit = settings["deadline"] if tries else None
    ctx.exit(body(settings.registry(plugins), app.commands, form, limit))


@app.command()
@source_options
@running_option("List the modules of a running service.")
@click.option(
    "--search",
    metavar="TEXT",
    help="With --running: only those with that in their name.",
)
@state_dir_options
@address_options
@format_option("text", "json")
def modules(
    sources: Sources, running: bool, search: str | None, address: Address, form: str
) -> None:
    """List the module types and what may stand in their `config`.

    With --running: the modules of a service, their state, and whether a change restarts
    them.
    """
    if running or address.is_named:
        from midflight_plugins.cli._running import modules as ask

        ask(service_of(sources, address), search, form)
        return
    from midflight_plugins.cli._modules import modules as body

    body(sources, form)


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    sys.exit(app(prog_name="midflight"))
