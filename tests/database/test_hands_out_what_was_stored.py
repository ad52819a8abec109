"""A version that is read again is the one that was stored, or it is refused."""

from __future__ import annotations

import pytest

from midflight import Document
from midflight.errors import InvalidConfigurationError


def document(value):
    """Return a document that its value tells from others."""
    return Document.from_mapping({"platform": {"value": value}})


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_was_altered_is_not_handed_out(
    runtime, database_url, original, version
):
    """Bytes that are not those that were stored are refused, with what to run."""
    for value in (1, 2):
        runtime.put(document(value), expected_version=value - 1 or None)
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
