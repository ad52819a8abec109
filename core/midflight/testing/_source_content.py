"""What every source promises about content that is wrong, or not there."""

from __future__ import annotations

import contextlib
import logging
import traceback

import pytest

from midflight._document import Document
from midflight._outcome import Applied, Reason, Rejected
from midflight.errors import Code, InvalidConfigurationError, SourceUnavailableError
from midflight.testing._calls import SourceCalls, runtime_of
from midflight.testing._source_fixtures import Act, SourceFixtures, given


class ContentClauses(SourceFixtures):
    """A part of `SourceContract`."""

    def test_invalid_content_is_refused_with_its_place(
        self, calls: SourceCalls, invalidate: Act | None
    ) -> None:
        """Invalid content raises `InvalidConfigurationError` with code and place."""
        given(invalidate, "invalidate")()
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
        given(invalidate, "invalidate")()
        token = calls.token()
        changing()

        assert isinstance(calls.document(), Document)
        assert token is None or calls.token() != token, "a token is made of the content"

    def test_a_deletion_is_no_empty_document(
        self, calls: SourceCalls, remove: Act | None
    ) -> None:
        """Content that is not there raises `SourceUnavailableError`."""
        given(remove, "remove")()

        with pytest.raises(SourceUnavailableError):
            calls.document()

    def test_a_deletion_changes_the_token(
        self, calls: SourceCalls, remove: Act | None
    ) -> None:
        """`hash` does not say that nothing happened when the content went away."""
        delete = given(remove, "remove")
        before = calls.token() or pytest.skip("no `hash`")
        delete()
        after: str | None = None
        with contextlib.suppress(Exception):  # whatever its client raises
            after = calls.token()

        assert after != before, "raise, or return another token"

    def test_invalid_content_leaves_the_last_good_in_force(
        self, source: object, invalidate: Act | None, changing: Act
    ) -> None:
        """A runtime goes on with what it had, and takes the next good content."""
        spoil = given(invalidate, "invalidate")
        with runtime_of(source) as runtime:
            good = runtime.snapshot
            spoil()
            refused, kept = runtime.reload(), runtime.snapshot
            changing()
            taken = runtime.reload()

        assert isinstance(refused, Rejected)
        assert kept is good
        assert isinstance(taken, Applied)

    def test_a_deletion_leaves_the_last_good_in_force(
        self, source: object, remove: Act | None, restore: Act | None
    ) -> None:
        """A runtime goes on with what it had, and takes what comes back."""
        delete, bring = given(remove, "remove"), given(restore, "restore")
        with runtime_of(source) as runtime:
            good = runtime.snapshot
            delete()
            failed, kept = runtime.reload(), runtime.snapshot
            error = runtime.status()["sources"][0]["error"]
            bring()
            taken, status = runtime.reload(), runtime.status()

        assert failed.reason is Reason.SOURCE_UNAVAILABLE
        assert error
        assert kept is good
        assert taken.ok
        assert status["state"] == "healthy"

    # -- what nobody may see -----------------------------------------------------

    def test_the_name_shows_no_secret(
        self, source: object, secrets: tuple[str, ...]
    ) -> None:
        """`name`, if there is one, is printable, and like `repr` shows no secret."""
        name = getattr(source, "name", type(source).__name__)

        assert isinstance(name, str)
        assert name
        assert name.isprintable()
        shown = [s for s in secrets if s in name or s in repr(source)]
        assert shown == [], "leave it out of `name` and `repr`"

    def test_no_error_and_no_log_shows_a_secret(
        self,
        source: object,
        secrets: tuple[str, ...],
        invalidate: Act | None,
        remove: Act | None,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Whatever is wrong, neither outcome nor status nor log says a secret."""
        acts = [act for act in (invalidate, remove) if act is not None]
        if not (secrets and acts):
            pytest.skip("no `secrets`" if acts else "no `invalidate`, no `remove`")
        caplog.set_level(logging.INFO)  # what it and its client log as well
        caplog.set_level(logging.DEBUG, "midflight")
        shown = []
        with runtime_of(source, watch=True) as runtime:
            for act in acts:
                act()
                outcome = runtime.reload()
                shown += [repr(outcome), repr(runtime.status())]
                shown += traceback.format_exception(outcome.error)
        text = "\n".join([*shown, caplog.text])

        said = [secret for secret in secrets if secret in text]
        assert said == [], "raise your own error `from None`, with nothing secret in it"
