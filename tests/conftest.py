"""What every test shares: where the repository is, and how Hypothesis looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from midflight import hookimpl

# Nothing is asserted about speed: a busy machine must not turn a property red.
settings.register_profile(
    "midflight", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("midflight")

# Database servers and a proxy, in `tests/servers`; see `pythonpath` in pyproject.toml.
pytest_plugins = [
    "server_fixtures",
    "database_fixtures",
    "original_fixtures",
    "proxy_fixtures",
]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def servers_required() -> bool:
    """Tell whether a missing server is a failure instead of a skip."""
    return os.environ.get("MIDFLIGHT_REQUIRE_SERVERS") == "1"


class Fragile:
    """A module that takes no change when told so."""

    fails = ""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self):
        pass

    @hookimpl
    def prepare(self):
        self._maybe("prepare")

    @hookimpl
    def reconfigure(self):
        self._maybe("reconfigure")

    def _maybe(self, hook):
        if Fragile.fails == hook:
            Fragile.fails = ""
            raise ValueError("no")


@pytest.fixture
def fragile():
    """The class of modules that fail when told so."""
    yield Fragile
    Fragile.fails = ""
