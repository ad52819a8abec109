"""The commands for a service that runs, with their options."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from midflight_plugins.cli._address import Address, address_options
from midflight_plugins.cli._options import (
    F,
    Sources,
    format_option,
    service_source_option,
    settings_options,
    settled,
    source_options,
    state_dir_options,
)

if TYPE_CHECKING:
    from midflight_plugins.cli._client import Service
    from midflight_plugins.cli._resolved import Settings


def service_options(command: F) -> F:
    """Add everything that says which service is meant; hand it over as `service`."""

    @source_options
    @state_dir_options
    @address_options
    @format_option("text", "json")
    @functools.wraps(command)
    def gather(*args: Any, sources: Sources, address: Address, **options: Any) -> Any:
        return command(*args, service=service_of(sources, address), **options)

    return gather  # type: ignore[return-value]  # click calls it by keyword


def service_of(given: Sources | Settings, address: Address) -> Service:
    """Return the service that options mean."""
    from midflight_plugins.cli._client import Service

    settings = given.settings if isinstance(given, Sources) else given
    assert settings is not None
    return Service(settings, address)


@click.command()
@service_options
@click.pass_context
def status(ctx: click.Context, service: Service, form: str) -> None:
    """Show what a running service has in force, wanted and refused.

    The service is found by its state directory: give what its `run` was given; or by
    --url. Exits 0 if it is healthy, 4 if it is not, 3 if there is none.
    """
    from midflight_plugins.cli._running import status as body

    ctx.exit(body(service, form))


@click.command()
@service_options
@click.pass_context
def reload(ctx: click.Context, service: Service, form: str) -> None:
    """Let a running service look at its source now, and show what came of it."""
    from midflight_plugins.cli._running import reload as body

    ctx.exit(body(service, form))


@click.command()
@click.argument("token", required=False)
@service_source_option
@settings_options
@state_dir_options
@address_options
@format_option("text", "json")
@click.pass_context
def apply(
    ctx: click.Context,
    /,
    token: str | None,
    address: Address,
    form: str,
    **options: Any,
) -> None:
    """Let a running service do what `midflight plan --running` has shown.

    TOKEN is the one it has shown; it is refused once the service has moved on. Without
    one it approves the plan that the strategy `hold` holds.
    """
    from midflight_plugins.cli._planned import apply as body

    ctx.exit(body(service_of(settled(options), address), token, form))


def running_option(about: str) -> Callable[[F], F]:
    """Add `--running`, which a `--url` on the command line says as well."""
    return click.option("--running", is_flag=True, help=about)
