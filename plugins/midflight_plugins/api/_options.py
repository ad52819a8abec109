"""The options of a command that may ask a service by its URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from midflight_plugins.api._client import Client

F = TypeVar("F", bound=Callable[..., Any])


def client_options(command: F) -> F:
    """Add `--url`, `--token-file` and `--ca-file`, for `given_client` to take."""
    import click

    for option in (
        click.option(
            "--ca-file",
            metavar="FILE",
            help="Certificates to trust for --url, instead of the system's.",
        ),
        click.option(
            "--token-file",
            metavar="FILE",
            help="Holds the token for --url.  [default: $MIDFLIGHT_TOKEN, or on this "
            "host `admin.token` of the state directory]",
        ),
        click.option(
            "--url",
            metavar="URL",
            envvar="MIDFLIGHT_URL",
            show_envvar=True,
            help="Ask the running service there: `http://HOST:PORT`, `https://HOST` or "
            "`unix:/path/admin.sock`.",
        ),
    ):
        command = option(command)
    return command


def given_client(
    options: dict[str, Any], state_dir: str | None, *, is_local: bool
) -> Client | None:
    """Take those options out, and return what asks the service they name.

    Args:
        options: of the command.
        state_dir: where a service of this host may keep a token.
        is_local: whether the command line says that no service is to be asked by URL;
            a URL of the environment does not count then.

    Raises:
        click.UsageError: if the command line says both, or the URL or token is none.
    """
    import click
    from click.core import ParameterSource

    url, token_file, ca_file = (
        options.pop(name) for name in ("url", "token_file", "ca_file")
    )
    origin = click.get_current_context().get_parameter_source("url")
    if url and is_local and origin is ParameterSource.COMMANDLINE:
        msg = "--url asks a service, which knows its state directory and store itself"
        raise click.UsageError(msg)
    if not url or is_local:
        return None
    try:
        return Client.at(
            url, token_file=token_file, ca_file=ca_file, state_dir=state_dir
        )
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
