"""What every test shares: where the repository is, and how Hypothesis looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Nothing is asserted about speed: a busy machine must not turn a property red.
settings.register_profile(
    "midflight", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("midflight")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def servers_required() -> bool:
    """Tell whether a missing server is a failure instead of a skip."""
    return os.environ.get("MIDFLIGHT_REQUIRE_SERVERS") == "1"
