"""D2: the hash that was to bypass the cache was computed from the cache."""

from __future__ import annotations

import hashlib

import pytest

from midflight import Runtime
from midflight_plugins.database import DatabaseSource

KEY = "default"


class HashesItsCache:
    """The broken variant: the way round the cache looks into the cache again."""

    def __init__(self, database):
        self.database, self.cached = database, None

    def load(self):
        if self.cached is None:
            self.cached = bytes(self.database.head(KEY).data).decode()
        return self.cached

    def hash(self):
        return hashlib.sha256(self.load().encode()).hexdigest()


def assert_is_seen(change, token, content):
    """Each of three changes gives another token, and its own content."""
    tokens, contents = [token()], [content()]
    for number in range(3):
        change(number)
        tokens.append(token())
        contents.append(content())
    assert len(set(tokens)) == 4
    assert len(set(contents)) == 4


def test_a_token_is_of_what_is_there_now(database_url, original, open_store):
    """Neither token nor document is kept from an earlier read, however short ago."""
    open_store(database_url)
    other, source = original(database_url), DatabaseSource(database_url, poll=60)
    runtime = Runtime(source)
    other.put(KEY, "n: first")

    assert_is_seen(
        lambda n: other.put(KEY, f"n: {n}"),
        source.hash,
        lambda: runtime.read()[0].digest,
    )
    source.close()


def test_a_token_is_of_bytes_and_not_of_what_the_row_says(
    database_url, original, open_store
):
    """Rows that are edited by hand, with version and hash left alone, are seen."""
    open_store(database_url)
    other, source = original(database_url), DatabaseSource(database_url)
    runtime = Runtime(source)
    other.put(KEY, "n: first")

    assert_is_seen(
        lambda n: other.edit(KEY, f"n: {n}"),
        source.hash,
        lambda: runtime.read()[0].digest,
    )
    source.close()


def test_the_oracle_sees_a_hash_of_the_cache(sqlite_url, original, open_store):
    """The original's way sees no change, and would not go unseen."""
    open_store(sqlite_url)
    other = original(sqlite_url)
    other.put(KEY, "n: first")
    broken = HashesItsCache(other)

    with pytest.raises(AssertionError):
        assert_is_seen(lambda n: other.put(KEY, f"n: {n}"), broken.hash, broken.load)
