"""The options that say which running service is meant, if it is not one of this host.

What asks it is in `_client`, which needs more.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from midflight_plugins.cli._options import F


class Address(NamedTuple):
    """Where a service is, by URL.

    Args:
        url: such as `http://127.0.0.1:8900`; `None` where its state directory tells.
        token_file: holds the token that says who asks.
        ca_file: certificates to trust instead of the system's.
        is_named: whether the command line itself says the URL, not the environment.
    """

    url: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    is_named: bool = False


def address_options(command: F) -> F:
    """Add `--url` and what goes with it; hand them over as `address`."""

    @click.option(
        "--url",
        metavar="URL",
        envvar="MIDFLIGHT_URL",
        show_envvar=True,
        help="Ask the service there: `http://HOST:PORT`, `https://HOST` or "
        "`unix:/path/admin.sock`.",
    )
    @click.option(
        "--token-file",
        metavar="FILE",
        help="Holds the token for --url.  [default: $MIDFLIGHT_TOKEN, or on this host "
        "`admin.token` of the state directory]",
    )
    @click.option(
        "--ca-file",
        metavar="FILE",
        help="Certificates to trust for --url, instead of the system's.",
    )
    @functools.wraps(command)
    def gather(
        *args: Any,
        url: str | None,
        token_file: str | None,
        ca_file: str | None,
        **options: Any,
    ) -> Any:
        origin = click.get_current_context().get_parameter_source("url")
        is_named = origin is ParameterSource.COMMANDLINE
        address = Address(url, token_file, ca_file, is_named)
        return command(*args, address=address, **options)

    return gather  # type: ignore[return-value]  # click calls it by keyword
