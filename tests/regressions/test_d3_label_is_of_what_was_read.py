"""D3: a hash and a document of two reads: old content went by a new name."""

from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight.testing import FakeModule, FakeSource


def document(value):
    return {"modules": [{"name": "m", "type": "fake", "config": {"v": value}}]}


class Races(FakeSource):
    """Changes between the token and the read, each time it is told to."""

    pending: object = None

    @hookimpl
    def hash(self):
        token = super().hash()
        if self.pending is not None:
            raw, self.pending = self.pending, None
            self.set(raw)
        return token


class LabelsByToken:
    """The broken variant: the token names what a later read gave."""

    def __init__(self, source):
        self.seen = source.hash()
        self.value = source.load().document["modules"][0]["config"]["v"]
        self.source = source

    def look(self):
        # the read comes first here: the same race, the other way round
        value = self.source.load().document["modules"][0]["config"]["v"]
        token = self.source.hash()
        if token != self.seen:
            self.seen, self.value = token, value


def assert_converges(look, value):
    """After the last change, one more look has the last content in force."""
    look()
    look()
    assert value() == 3


def test_a_change_between_token_and_read_is_not_lost():
    """The digest is of the content itself; the next look finds what came between."""
    source = Races(document(1))
    with Runtime(source, modules={"fake": FakeModule}) as runtime:
        source.set(document(2))
        source.pending = document(3)

        assert_converges(runtime.reload, lambda: runtime.module("m").config["v"])
        snapshot = runtime.snapshot
        assert snapshot.digest == snapshot.document.digest
        assert runtime.status()["desired"] == snapshot.digest


def test_the_oracle_sees_a_label_of_another_read():
    """Old content under the new hash stays for good, and would not go unseen."""
    source = Races(document(1))
    broken = LabelsByToken(source)

    def look():
        broken.look()
        if source.pending is None and broken.value == 1:
            return

    source.set(document(2))
    original = source.hash

    def hash_after_write():
        source.hash = original
        source.set(document(3))
        return original()

    source.hash = hash_after_write  # the write falls between load and hash

    with pytest.raises(AssertionError):
        assert_converges(look, lambda: broken.value)
