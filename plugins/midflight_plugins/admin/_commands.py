"""`midflight token`: who may ask a service over HTTP, and what."""

from __future__ import annotations

from typing import Any

import click


def _where(command: Any) -> Any:
    """Add the options that say which file it is."""
    for option in (
        click.option(
            "--tokens",
            metavar="FILE",
            help="The file, if the `admin` module's setting `token_file` names one.",
        ),
        click.option(
            "--state-dir",
            "folder",
            metavar="DIR",
            help="The state directory of the service.  [default: as in `midflight "
            "settings`]",
        ),
    ):
        command = option(command)
    return command


@click.group()
def token() -> None:
    """Make, list and revoke tokens for the HTTP API.

    A running service follows every change at once. Whoever may read its state
    directory can do this.
    """


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="What it lets do: `read`, `write:GLOB` for the modules of such names, "
    "`rollback` or `admin` (everything). Each includes `read`. Repeatable.  [default: "
    "read]",
)
@click.option(
    "--expires",
    metavar="TIME",
    help="When it ends: `12h`, `30d`, `8w`.  [default: never]",
)
@_where
def create(
    name: str, scopes: tuple[str, ...], expires: str | None, **where: Any
) -> None:
    """Make a token for NAME and show it; nobody can show it again."""
    from midflight_plugins.admin._command import created

    click.echo(created(name, scopes or ("read",), expires, **where))


@token.command("list")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the result is written.",
)
@_where
def list_(form: str, **where: Any) -> None:
    """List every token, without its secret."""
    from midflight_plugins.admin._command import listed

    click.echo(listed(form, **where))


@token.command()
@click.argument("name")
@_where
def revoke(name: str, **where: Any) -> None:
    """Take the token of a NAME, or of an id, away at once."""
    from midflight_plugins.admin._command import revoked

    click.echo(revoked(name, **where))
