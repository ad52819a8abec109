"""A runtime on an empty database."""

from __future__ import annotations

import pytest

from midflight import Runtime
from midflight_plugins.database import DatabaseSource
from midflight_plugins.database._schema import upgrade
from midflight_plugins.database._url import parsed


@pytest.fixture
def runtime(database_url):
    """A runtime on an empty database, not started."""
    upgrade(parsed(database_url)[0])
    source = DatabaseSource(database_url)
    yield Runtime(source)
    source.close()
