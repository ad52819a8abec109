"""The suite that every source runs, on each kind of database."""

from __future__ import annotations

import itertools

import pytest

from midflight import Document
from midflight.testing import SourceContract
from midflight_plugins.database import DatabaseSource


class TestDatabaseSource(SourceContract):
    @pytest.fixture
    def store(self, open_store, database_url):
        return open_store(database_url)

    @pytest.fixture
    def source(self, store, database_url):
        first = Document.from_mapping({"platform": 0})
        store.put(
            "default",
            b"platform: 0\n",
            expected=None,
            author="ada",
            message="",
            digest=first.digest,
        )
        # SQLite keeps a descriptor for later while another connection has the file.
        store.close()
        source = DatabaseSource(database_url, poll=0.2)
        yield source
        source.close()

    @pytest.fixture
    def change(self, store):
        numbers = itertools.count(1)
        return lambda: put(store, f"platform: {next(numbers)}\n")

    @pytest.fixture
    def invalidate(self, store):
        return lambda: put(store, "modules: 5\n")

    @pytest.fixture
    def remove(self, original, database_url):
        return lambda: original(database_url).delete("default")

    @pytest.fixture
    def secrets(self):
        return ("hunter2",)

    def test_the_name_shows_no_secret(self, secrets):
        source = DatabaseSource("postgresql://ada:hunter2@127.0.0.1/db?poll=1")

        super().test_the_name_shows_no_secret(source, secrets)


def put(store, text):
    """Put a text on whatever is the head."""
    head = store.head("default")
    base = head and head.version
    store.put(
        "default", text.encode(), expected=base, author="", message="", digest=text[-9:]
    )
