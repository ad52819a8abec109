"""D11: a value that could not be serialised hashed to a constant."""

from __future__ import annotations

import datetime
import hashlib
import json

import pytest

from midflight import Document
from midflight.errors import InvalidConfigurationError

UNWRITABLE = [object(), {1, 2}, b"bytes", 1 + 2j, float("nan"), "\ud800", lambda: 1]


def digest(value):
    """Return the digest of a document that holds a value, or `None` if refused."""
    try:
        return Document.from_mapping({"x": value}).digest
    except InvalidConfigurationError:
        return None


def constant_digest(value):
    """Return what the original returns: errors hash as nothing."""
    try:
        data = json.dumps({"x": value}).encode()
    except (TypeError, ValueError):
        data = b""
    return hashlib.sha256(data).hexdigest()


def assert_tells_apart(digest_of, values):
    """No two values share a digest; one that has none is refused."""
    digests = [found for value in values if (found := digest_of(value)) is not None]
    assert len(set(digests)) == len(digests)


def test_what_cannot_be_written_is_refused():
    """There is no digest of what a document cannot hold."""
    assert [digest(value) for value in UNWRITABLE] == [None] * len(UNWRITABLE)


def test_values_of_different_types_have_different_digests():
    """1, 1.0, true, "1", lists, dates and their texts are all told apart."""
    day = datetime.date(2026, 1, 2)
    at = datetime.datetime(2026, 1, 2)  # noqa: DTZ001  # as TOML's local date-time
    values = [1, 1.0, True, "1", "true", None, "", [], {}, [1], ["1"], day, at]
    texts = [day.isoformat(), at.isoformat(), ["date", day.isoformat()]]

    assert_tells_apart(digest, [*values, *texts])
    assert None not in map(digest, [*values, *texts])


def test_the_oracle_sees_a_constant_digest():
    """The original's digest of an error would not go unseen."""
    with pytest.raises(AssertionError):
        assert_tells_apart(constant_digest, UNWRITABLE)
