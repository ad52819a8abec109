"""What every source promises about reading."""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import threading
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import attrs
import pytest

from midflight._document import Document
from midflight.errors import MidflightError
from midflight.testing._calls import SourceCalls
from midflight.testing._source_fixtures import Act, SourceFixtures
from midflight.testing._system import wait_until


@attrs.frozen
class _Read:
    """What one read gave, and the token before and after it."""

    digest: str
    version: str | int | None
    told: str | None
    before: str | None
    after: str | None


class ReadingClauses(SourceFixtures):
    """A part of `SourceContract`."""

    def test_a_read_gives_a_document(self, calls: SourceCalls) -> None:
        """One `load` gives a whole configuration, and the version it has."""
        loaded = calls.load()

        assert isinstance(calls.document(), Document)
        assert isinstance(loaded.version, str | int | None)

    def test_equal_tokens_mean_equal_documents(self, calls: SourceCalls) -> None:
        """As long as nothing changes, neither do token, document and version."""
        before, again = (
            (calls.token(), calls.document().digest, calls.load().version)
            for _ in range(2)
        )

        assert before == again, "a read changed something, or a token is made up anew"
        assert isinstance(before[0], str | None)

    def test_a_change_gives_another_token(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """The token differs after a change, or the core would not look."""
        before = calls.token() or pytest.skip("no `hash`")
        changing()

        assert calls.token() != before, "make the token of what is stored"

    def test_a_change_is_loaded_at_once(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """A `load` after a change gives the new content, and never a stale one."""
        seen = {calls.document().digest}
        for _ in range(3):
            changing()
            seen.add(calls.document().digest)

        assert len(seen) == 4, "a `load` gave what was replaced: keep no copy of it"

    def test_what_was_loaded_stays_as_it_was(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """The source keeps no claim on what it returned, and does not change it."""
        first = calls.load().document
        kept = first if isinstance(first, Document) else copy.deepcopy(first)
        changing()
        calls.token(), calls.load()

        assert first == kept, "return a new mapping from each `load`"

    def test_any_thread_can_read(self, calls: SourceCalls) -> None:
        """`hash` and `load` may be called by one thread after another."""
        want = calls.token(), calls.document().digest
        for _ in range(3):
            got = in_threads(lambda: (calls.token(), calls.document().digest), 1)

            assert got == [want], "another thread reads something else"

    # -- beside somebody who writes ----------------------------------------------

    def test_a_token_names_one_document_beside_changes(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """What is read between two looks at one token is that token's document.

        So is what `load` says that the token belongs to.
        """
        seen: dict[str, set[str]] = {}
        for read in _reads_beside(calls, changing):
            looked = read.before if read.before == read.after else None
            for token in {looked, read.told} - {None}:
                seen.setdefault(str(token), set()).add(read.digest)
        if not seen:
            pytest.skip("no `hash`, and no `token` of `Loaded`")

        assert _ambiguous(seen) == [], "take the token from the read of the document"

    def test_a_version_names_one_document_beside_changes(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """Document and version are of one read, and stay a pair while they change."""
        seen: dict[object, set[str]] = {}
        for read in _reads_beside(calls, changing):
            seen.setdefault(read.version, set()).add(read.digest)
        seen.pop(None, None)
        if not seen:
            pytest.skip("no `version` of `Loaded`")

        assert _ambiguous(seen) == [], "take the version from the read of the document"

    def test_no_read_goes_back_to_an_older_document(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """What was replaced is not read again, though somebody writes meanwhile."""
        digests = [read.digest for read in _reads_beside(calls, changing)]
        turns = [new for old, new in pairwise(["", *digests]) if new != old]

        assert len(turns) == len({*turns}), "an older document came back"

    def test_integer_versions_never_go_back(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """A version that is a number is never less than that of an earlier read."""
        reads = _reads_beside(calls, changing)
        versions = [read.version for read in reads if isinstance(read.version, int)]
        if not versions:
            pytest.skip("its versions are no numbers")

        assert versions == sorted(versions), "an older version came back"


def _ambiguous(seen: Mapping[Any, set[str]]) -> list[Any]:
    """Return each mark under which more than one document was read."""
    return [mark for mark, digests in seen.items() if len(digests) > 1]


def _reads_beside(calls: SourceCalls, act: Act, times: int = 10) -> list[_Read]:
    """Return reads that were made while a thread acts, and one that comes after.

    Between two acts at least one read is made that nothing disturbs.
    """
    reads: list[_Read] = []
    looks: list[int] = []

    def write() -> None:
        for _ in range(times):
            act()
            enough = len(looks) + 2
            wait_until(lambda: len(looks) >= enough, "a read", 10)  # noqa: B023  # called within the pass

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        while not writer.done():
            with contextlib.suppress(MidflightError, OSError):
                reads.append(_read(calls))
            looks.append(1)
        writer.result()
    return [*reads, _read(calls)]


def _read(calls: SourceCalls) -> _Read:
    before = calls.token()
    document, loaded = calls.read()
    return _Read(document.digest, loaded.version, loaded.token, before, calls.token())


def in_threads(act: Callable[[], Any], count: int = 4) -> list[Any]:
    """Return what `act` returns, called by several threads at once."""
    barrier = threading.Barrier(count)

    def run(_: int) -> Any:
        barrier.wait()
        return act()

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
