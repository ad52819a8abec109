"""A rate limiter that says which rate is in force."""

from __future__ import annotations

import attrs
from attrs.validators import gt

from midflight import hookimpl


@attrs.frozen
class Limits:
    """What stands under `config:`.

    Args:
        rate: requests per second.
    """

    rate: float = attrs.field(validator=gt(0))


class Limiter:
    """Takes a new rate while it runs."""

    Config = Limits

    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    def start(self, config: Limits) -> None:
        """Begin to limit."""
        self._say(config)

    @hookimpl
    def reconfigure(self, config: Limits) -> None:
        """Limit to another rate from the next request on."""
        self._say(config)

    def _say(self, config: Limits) -> None:
        print(f"{self.name} allows {config.rate:g} requests per second", flush=True)
