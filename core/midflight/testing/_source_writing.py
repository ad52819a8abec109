"""What every source that can be written promises about that."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import Any

import pytest

from midflight._document import Document
from midflight.errors import ConflictError
from midflight.testing._calls import SourceCalls
from midflight.testing._source_fixtures import Act, SourceFixtures, given
from midflight.testing._source_reading import in_threads

_ROUNDS = 10  # of writers at once


class WritingClauses(SourceFixtures):
    """A part of `SourceContract`."""

    @pytest.mark.usefixtures("writable")
    def test_a_put_is_what_is_loaded_next(self, calls: SourceCalls) -> None:
        """A put names the version it is based on, and becomes the next one."""
        document = _other(calls.document(), 1)
        version = _put(calls, document)

        assert calls.document() == document
        assert calls.load().version == version

    @pytest.mark.usefixtures("writable")
    def test_a_put_of_the_same_is_no_new_version(self, calls: SourceCalls) -> None:
        """What equals the head gives the version of the head."""
        document = _other(calls.document(), 1)
        version = _put(calls, document)

        assert _put(calls, document) == version
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
    def test_a_first_put_replaces_nothing(self, calls: SourceCalls) -> None:
        """A put on no version is refused where something is stored."""
        head = calls.document()
        with pytest.raises(ConflictError):
            _put(calls, _other(head, 1), None)

        assert calls.document() == head

    @pytest.mark.usefixtures("writable")
    def test_a_put_after_a_deletion_is_a_first_one(
        self, calls: SourceCalls, remove: Act | None
    ) -> None:
        """A put on no version is stored where nothing is stored any more."""
        document = _other(calls.document(), 1)
        given(remove, "remove")()
        version = _put(calls, document, None)

        assert calls.document() == document
        assert calls.load().version == version

    @pytest.mark.usefixtures("writable")
    def test_one_of_many_writers_wins(self, calls: SourceCalls) -> None:
        """Of puts on one version at once, one is stored and the others are refused."""
        document, numbers = calls.document(), itertools.count()
        for _ in range(_ROUNDS):
            base = calls.load().version

            def write() -> Document | None:
                mine = _other(document, next(numbers))
                with contextlib.suppress(ConflictError):
                    _put(calls, mine, base)  # noqa: B023  # called within the pass
                    return mine
                return None

            stored = [each for each in in_threads(write) if each is not None]

            assert len(stored) == 1, "compare and store in one step"
            assert stored == [calls.document()]

    @pytest.mark.usefixtures("writable")
    def test_every_version_can_be_read_again(self, calls: SourceCalls) -> None:
        """History lists versions newest first, and each gives its document.

        A version that is not kept gives none, and an entry names no digest but its own.
        """
        if not (calls.has("history") and calls.has("read_version")):
            pytest.skip("no `history`")
        puts = {}
        for number in range(3):
            document = _other(calls.document(), number)
            puts[_put(calls, document)] = document.digest
        listed = calls.call("history", limit=3)

        assert [each.version for each in listed] == [*reversed(puts)]
        assert (listed[0].author, listed[0].message) == ("ada", "why")
        wrong = [e.version for e in listed if e.digest not in ("", puts[e.version])]
        assert wrong == [], "a digest is that of the document that was put, or empty"
        with pytest.raises(KeyError):
            calls.call("read_version", version=_unknown(listed[0].version))
        for version, digest in puts.items():
            read = calls.call("read_version", version=version).document
            document = (
                read if isinstance(read, Document) else Document.from_mapping(read)
            )
            assert document.digest == digest


def _other(document: Document, number: int) -> Document:
    return Document.from_mapping({**document.as_mapping(), "contract": {"n": number}})


def _unknown(version: str | int) -> str | int:
    """Return a version of the same form that there is not."""
    if isinstance(version, int):
        return version + 1_000
    other = version.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    return other if other != version else f"{version}0"


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
