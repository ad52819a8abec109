"""Sources that can be written and keep that part of the contract, and that break it.

`breaks` names the clauses that turn red.
"""

from __future__ import annotations

import threading
import time

import attrs
import pytest

from midflight import Loaded, hookimpl
from midflight.errors import ConflictError, SourceUnavailableError
from midflight.hookspecs import Version
from midflight.testing import FakeSource, WritableSourceContract
from midflight_plugins.memory import MemorySource


class TestMemory(WritableSourceContract):
    kind: type[MemorySource] = MemorySource
    breaks: tuple[str, ...] = ()

    @pytest.fixture
    def source(self):
        return self.kind({"platform": 0})


class Forgetful(MemorySource):
    """Stores nothing."""

    def put(self, *_):
        return 2


class TestForgetful(TestMemory):
    kind = Forgetful
    breaks = ("test_a_put_is_what_is_loaded_next",)


class Careless(MemorySource):
    """Stores whatever the version."""

    def put(self, document, *_):
        return self.set(document)


class TestCareless(TestMemory):
    kind = Careless
    breaks = (
        "test_a_put_on_an_old_version_is_refused",
        "test_a_put_of_the_same_is_no_new_version",
        "test_one_of_many_writers_wins",
    )


class Rewording(MemorySource):
    """Writes into the text that it is given."""

    def put(self, document, expected_version, author, message, text):
        text = text and f"# put by {author}\n{text}"
        return super().put(document, expected_version, author, message, text)


class TestRewording(TestMemory):
    kind = Rewording
    breaks = ("test_a_text_is_kept_to_the_byte",)


class Backward(MemorySource):
    """Lists the oldest version first."""

    @hookimpl
    def history(self, limit):
        return super().history(100)[::-1]


class TestBackward(TestMemory):
    kind = Backward
    breaks = ("test_every_version_can_be_read_again",)


class Numbering(MemorySource):
    """Lists a digest that is of no document."""

    @hookimpl
    def history(self, limit):
        listed = super().history(limit)
        return [attrs.evolve(each, digest=f"{each.version:064}") for each in listed]


class TestNumbering(TestMemory):
    kind = Numbering
    breaks = ("test_every_version_can_be_read_again",)


class Obliging(MemorySource):
    """Gives the head for a version that it does not keep."""

    @hookimpl
    def read_version(self, version):
        return super().read_version(min(version, self.version))


class TestObliging(TestMemory):
    kind = Obliging
    breaks = ("test_every_version_can_be_read_again",)


class TestUnwritable(WritableSourceContract):
    """It has no `put` at all."""

    breaks = ("test_a_put_is_what_is_loaded_next",)

    @pytest.fixture
    def source(self):
        return FakeSource({"platform": 0})


# -- whose content can go away -----------------------------------------------------


class Ledger:
    """Keeps its contract."""

    name = "ledger"

    def __init__(self):
        self.kept = []
        self.is_gone = False
        self.lock = threading.Lock()

    def add(self, document, author="", message="", text=None):
        number = len(self.kept) + 1
        listed = Version(number, "", author, message, time.time())
        self.kept.append((document, text, listed))
        self.is_gone = False
        return number

    def head(self):
        return None if self.is_gone or not self.kept else len(self.kept)

    def base(self, expected):
        """Return the version that a put has to name."""
        return self.head()

    @hookimpl
    def load(self):
        head = self.head()
        if head is None:
            raise SourceUnavailableError("the ledger holds nothing")
        return self.read_version(head)

    @hookimpl
    def put(self, document, expected_version, author, message, text):
        with self.lock:
            base = self.base(expected_version)
            if expected_version != base:
                raise ConflictError(f"the head is {base}, not {expected_version}")
            if base and self.kept[-1][:2] == (document, text):
                return base
            return self.add(document, author, message, text)

    @hookimpl
    def history(self, limit):
        return [listed for _, _, listed in reversed(self.kept)][:limit]

    @hookimpl
    def read_version(self, version):
        if not 1 <= version <= len(self.kept):
            raise KeyError(version)
        document, text, _ = self.kept[version - 1]
        return Loaded(document, version, text=text)


class TestLedger(WritableSourceContract):
    kind: type[Ledger] = Ledger
    breaks: tuple[str, ...] = ()

    @pytest.fixture
    def source(self):
        ledger = self.kind()
        ledger.add({"platform": 0})
        return ledger

    @pytest.fixture
    def remove(self, source):
        return lambda: setattr(source, "is_gone", True)


class Greedy(Ledger):
    """Takes a put on no version for one on whatever is there."""

    def base(self, expected):
        return super().base(expected) if expected is not None else None


class TestGreedy(TestLedger):
    kind = Greedy
    breaks = ("test_a_first_put_replaces_nothing",)


class Looking(Ledger):
    """Reads what is there before it writes, and there has to be something."""

    def base(self, expected):
        return self.load().version


class TestLooking(TestLedger):
    kind = Looking
    breaks = ("test_a_put_after_a_deletion_is_a_first_one",)
