"""A version that is read again is the one that was stored, or it is refused."""

from __future__ import annotations

import pytest

from midflight import Document, Runtime
from midflight.errors import InvalidConfigurationError
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


def document(value):
    """Return a document that its value tells from others."""
    return Document.from_mapping({"platform": {"value": value}})


def put(runtime, value, base, **more):
    """Put a value on top of a version."""
    return runtime.put(document(value), expected_version=base, **more)


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_was_altered_is_not_handed_out(
    runtime, database_url, original, version
):
    """Bytes that are not those that were stored are refused, with what to run."""
    put(runtime, 1, None)
    put(runtime, 2, 1)
    other = original(database_url)
    change = other.history.update().where(other.history.c.version == version)
    with other.engine.begin() as connection:
        connection.execute(change.values(data=b"platform: {value: 7}"))

    with pytest.raises(InvalidConfigurationError, match="E_DIGEST") as caught:
        runtime.read_version(version)
    [fault] = caught.value.faults
    assert fault.found != fault.expected
    assert fault.hint.startswith("run: midflight db verify ")
    assert runtime.read_version(3 - version)[0] == document(3 - version)


def test_a_version_of_the_original_is_handed_out_as_it_is(
    runtime, database_url, original
):
    """A row that others wrote was never vouched for by its `hash`."""
    other = original(database_url)
    other.put("default", "platform: {value: 1}")
    change = other.history.update().values(data=b"platform: {value: 7}")
    with other.engine.begin() as connection:
        connection.execute(change)

    assert runtime.read_version(1)[0] == document(7)
