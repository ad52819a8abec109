"""D3: hash and load were two reads: old content could stand under the new hash."""

from __future__ import annotations

import hashlib

import attrs
import pytest

from midflight import Runtime, hookimpl
from midflight_plugins.database import DatabaseSource


class TwoReads(DatabaseSource):
    """The broken variant: the token is asked for after the row was read."""

    meanwhile = staticmethod(lambda: None)

    @hookimpl
    def load(self, runtime):
        loaded = super().load(runtime)
        self.meanwhile()
        return attrs.evolve(loaded, token=super().hash())


def assert_labels_fit(source, change):
    """What was loaded stands under its own version and hash, whatever comes between."""
    runtime = Runtime(source)
    for number in range(1, 6):
        change(number)
        source.hash()
        change(number + 10)
        source.meanwhile = lambda number=number: change(number + 20)
        _, loaded = runtime.read()
        version, digest, _ = str(loaded.token).split("|")
        assert digest == hashlib.sha256(str(loaded.text).encode()).hexdigest()
        assert version == str(loaded.version)


@pytest.fixture
def change(database_url, original, open_store):
    """Puts a number, as the original system does."""
    open_store(database_url)
    other = original(database_url)
    return lambda number: other.put("default", f"platform: {number}\n")


def test_a_row_is_labelled_by_the_read_it_came_from(database_url, change):
    """Document, version and token are those of one row."""
    source = DatabaseSource(database_url)

    assert_labels_fit(source, change)
    source.close()


def test_the_oracle_sees_two_reads(database_url, change):
    """A token of another moment than the content is found out."""
    source = TwoReads(database_url)
    with pytest.raises(AssertionError):
        assert_labels_fit(source, change)

    source.close()
