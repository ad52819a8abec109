"""D3: a hash and a document of two reads: old content went by a new name."""

from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight.testing import FakeModule, FakeSource


def document(value):
    """Return what the source holds."""
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
    """The broken variant: a read, then a token of what is there by now."""

    def __init__(self, source):
        self.source, self.seen, self.value = source, source.hash(), 1

    def look(self):
        """Read, let `between` happen, ask for the token, and keep both."""
        raw = self.source.load().document
        if self.source.pending is not None:
            self.source.set(self.source.pending)
            self.source.pending = None
        if (token := self.source.hash()) != self.seen:
            self.seen, self.value = token, raw["modules"][0]["config"]["v"]


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
    source.set(document(2))
    source.pending = document(3)

    with pytest.raises(AssertionError):
        assert_converges(broken.look, lambda: broken.value)
