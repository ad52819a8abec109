"""What every source promises, as tests that its author inherits."""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from midflight._document import Document
from midflight.errors import (
    Code,
    ConflictError,
    InvalidConfigurationError,
    MidflightError,
    SourceUnavailableError,
)
from midflight.testing._calls import Belongings, SourceCalls
from midflight.testing._source_fixtures import Act, SourceFixtures
from midflight.testing._system import wait_until


class SourceContract(SourceFixtures):
    """Inherit from this in a class called `Test…` and override the fixture `source`.

    Override `change` too, unless the source never changes; and of the other fixtures
    those that the source can be brought to: `invalidate`, `remove`, `secrets`. A
    capability that is not given skips the tests that need it.
    """

    # -- reading -----------------------------------------------------------------

    def test_a_read_gives_a_document(self, calls: SourceCalls) -> None:
        """One `load` gives a whole configuration, and the version it has."""
        loaded = calls.load()

        assert isinstance(calls.document(), Document)
        assert isinstance(loaded.version, str | int | None)

    def test_equal_tokens_mean_equal_documents(self, calls: SourceCalls) -> None:
        """As long as nothing changes, neither do token, document and version."""
        before = calls.token(), calls.document().digest, calls.load().version

        assert before == (calls.token(), calls.document().digest, calls.load().version)
        assert isinstance(before[0], str | None)

    def test_a_change_gives_another_token(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """The token differs after a change, or the core would not look."""
        before = calls.token()
        changing()

        assert before is None or calls.token() != before

    def test_a_change_is_loaded_at_once(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """A `load` after a change gives the new content, and never a stale one."""
        seen = {calls.document().digest}
        for _ in range(3):
            changing()
            seen.add(calls.document().digest)

        assert len(seen) == 4

    def test_what_was_loaded_stays_as_it_was(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """The source keeps no claim on what it returned, and does not change it."""
        first = calls.load().document
        kept = first if isinstance(first, Document) else copy.deepcopy(first)
        changing()
        calls.token(), calls.load()

        assert first == kept

    def test_any_thread_can_read(self, calls: SourceCalls) -> None:
        """`hash` and `load` may be called by one thread after another."""
        want = calls.token(), calls.document().digest
        for _ in range(3):
            got = _in_threads(lambda: (calls.token(), calls.document().digest), 1)

            assert got == [want]

    def test_a_token_names_one_document_beside_changes(
        self, calls: SourceCalls, changing: Act
    ) -> None:
        """What is read between two looks at one token is that token's document."""
        looked = threading.Event()

        def write() -> None:
            for _ in range(10):
                looked.clear()
                changing()
                looked.wait(1)

        writer = threading.Thread(target=write)
        seen: dict[str | None, set[str]] = {}
        writer.start()
        while writer.is_alive():
            with contextlib.suppress(MidflightError):
                before, digest = calls.token(), calls.document().digest
                if before is not None and calls.token() == before:
                    seen.setdefault(before, set()).add(digest)
            looked.set()
        writer.join()
        settled = calls.document().digest
        seen.setdefault(calls.token(), set()).add(settled)

        assert [each for each in seen.values() if len(each) > 1] == []

    # -- content that is wrong, or not there -------------------------------------

    def test_invalid_content_is_refused_with_its_place(
        self, calls: SourceCalls, invalidate: Act | None
    ) -> None:
        """Invalid content raises `InvalidConfigurationError` with code and place."""
        _given(invalidate, "invalidate")()
        with pytest.raises(InvalidConfigurationError) as caught:
            calls.document()

        assert caught.value.faults
        for fault in caught.value.faults:
            assert fault.code in Code
            assert fault.place is not None
            assert fault.place.source

    def test_recovers_from_invalid_content(
        self, calls: SourceCalls, invalidate: Act | None, changing: Act
    ) -> None:
        """Good content after bad is loaded, under another token."""
        _given(invalidate, "invalidate")()
        token = calls.token()
        changing()

        assert isinstance(calls.document(), Document)
        assert token is None or calls.token() != token

    def test_a_deletion_is_no_empty_document(
        self, calls: SourceCalls, remove: Act | None
    ) -> None:
        """Content that is not there raises `SourceUnavailableError`."""
        _given(remove, "remove")()

        with pytest.raises(SourceUnavailableError):
            calls.document()

    def test_a_deletion_changes_the_token(
        self, calls: SourceCalls, remove: Act | None
    ) -> None:
        """`hash` does not say that nothing happened when the content went away."""
        before = calls.token()
        _given(remove, "remove")()
        try:
            after = calls.token()
        except (MidflightError, OSError):
            return

        assert before is None or after != before

    def test_the_name_shows_no_secret(
        self, source: object, secrets: tuple[str, ...]
    ) -> None:
        """`name`, if there is one, is printable, and like `repr` shows no secret."""
        name = getattr(source, "name", type(source).__name__)

        assert isinstance(name, str)
        assert name
        assert name.isprintable()
        assert [s for s in secrets if s in name or s in repr(source)] == []

    # -- watching ----------------------------------------------------------------

    @pytest.mark.usefixtures("watched")
    def test_a_change_gives_a_hint(
        self, calls: SourceCalls, changing: Act, patience: float
    ) -> None:
        """Each change is followed by at least one hint."""
        hints: list[int] = []
        with calls.watch(lambda: hints.append(1)):
            for _ in range(3):
                calls.token(), calls.load()
                before = len(hints)
                changing()
                wait_until(lambda: len(hints) > before, "a hint", patience)  # noqa: B023  # called within the pass

        assert len(hints) >= 3

    @pytest.mark.usefixtures("watched")
    def test_no_hint_comes_after_the_exit(
        self, calls: SourceCalls, changing: Act, patience: float
    ) -> None:
        """A watch that was left gives no hint, though another one does."""
        late: list[int] = []
        hints: list[int] = []
        with calls.watch(lambda: late.append(1)):
            changing()
            wait_until(lambda: late, "a hint", patience)
        late.clear()
        with calls.watch(lambda: hints.append(1)):
            changing()
            wait_until(lambda: hints, "a hint", patience)

        assert late == []

    @pytest.mark.usefixtures("watched")
    def test_leaving_a_watch_twice_is_harmless(self, calls: SourceCalls) -> None:
        """The second exit of a watch does nothing."""
        watch = calls.watch(lambda: None)
        watch.__enter__()
        watch.__exit__(None, None, None)

        assert not watch.__exit__(None, None, None)

    @pytest.mark.usefixtures("watched")
    def test_a_watch_leaves_nothing_behind(self, calls: SourceCalls) -> None:
        """Neither a thread nor a descriptor outlives the exit."""
        with calls.watch(lambda: None):
            pass
        before = Belongings()
        for _ in range(5):
            with calls.watch(lambda: None):
                calls.load()

        before.wait_until_back()

    # -- writing -----------------------------------------------------------------

    @pytest.mark.usefixtures("writable")
    def test_a_put_is_what_is_loaded_next(self, calls: SourceCalls) -> None:
        """A put names the version it is based on, and becomes the next one."""
        document = _other(calls.document(), 1)
        version = _put(calls, document)

        assert calls.document() == document
        assert calls.load().version == version

    @pytest.mark.usefixtures("writable")
    def test_a_text_is_kept_to_the_byte(self, calls: SourceCalls) -> None:
        """Comments come back, where a source keeps texts at all."""
        document = _other(calls.document(), 1)
        text = f"# why\n{json.dumps(document.as_mapping())}\n"
        _put(calls, document, text=text)
        found = calls.load().text or pytest.skip("no `text`")

        assert found == text
        assert calls.document() == document

    @pytest.mark.usefixtures("writable")
    def test_a_put_on_an_old_version_is_refused(self, calls: SourceCalls) -> None:
        """Two writers cannot overwrite each other unseen."""
        base, head = calls.load().version, _other(calls.document(), 1)
        _put(calls, head)
        with pytest.raises(ConflictError):
            _put(calls, _other(head, 2), base)

        assert calls.document() == head

    @pytest.mark.usefixtures("writable")
    def test_one_of_many_writers_wins(self, calls: SourceCalls) -> None:
        """Of puts on one version at once, one is stored and the others are refused."""
        base, document = calls.load().version, calls.document()
        numbers = iter(range(100))

        def write() -> Document | None:
            mine = _other(document, next(numbers))
            try:
                _put(calls, mine, base)
            except ConflictError:
                return None
            return mine

        stored = [each for each in _in_threads(write) if each is not None]

        assert stored == [calls.document()]

    @pytest.mark.usefixtures("writable")
    def test_every_version_can_be_read_again(self, calls: SourceCalls) -> None:
        """History lists versions newest first, and each gives its document."""
        if not (calls.has("history") and calls.has("read_version")):
            pytest.skip("no `history`")
        puts = {}
        for number in range(3):
            document = _other(calls.document(), number)
            puts[_put(calls, document)] = document.digest
        listed = calls.call("history", limit=3)

        assert [each.version for each in listed] == [*reversed(puts)]
        assert (listed[0].author, listed[0].message) == ("ada", "why")
        for version, digest in puts.items():
            read = calls.call("read_version", version=version).document
            document = (
                read if isinstance(read, Document) else Document.from_mapping(read)
            )
            assert document.digest == digest


def _given(act: Act | None, name: str) -> Act:
    return act or pytest.skip(f"no `{name}`")


def _other(document: Document, number: int) -> Document:
    return Document.from_mapping({**document.as_mapping(), "contract": {"n": number}})


_HEAD: Any = object()


def _put(
    calls: SourceCalls, document: Document, base: Any = _HEAD, text: str | None = None
) -> str | int:
    """Put a document on a version, the head unless another one is given."""
    version: str | int = calls.call(
        "put",
        document=document,
        expected_version=calls.load().version if base is _HEAD else base,
        author="ada",
        message="why",
        text=text,
    )
    return version


def _in_threads(act: Callable[[], Any], count: int = 4) -> list[Any]:
    """Return what `act` returns, called by several threads at once."""
    barrier = threading.Barrier(count)

    def run(_: int) -> Any:
        barrier.wait()
        return act()

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
