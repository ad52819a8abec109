"""What the author of a source overrides, and what the suite makes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from midflight.testing._calls import SourceCalls

Act = Callable[[], object]


class SourceFixtures:
    """The fixtures of `SourceContract`."""

    # -- what an author overrides ------------------------------------------------

    @pytest.fixture
    def source(self) -> object:
        """Return a source object with valid content."""
        msg = "override the fixture `source`"
        raise NotImplementedError(msg)

    @pytest.fixture
    def change(self) -> Act | None:
        """Return a function that gives the source content it never had before."""
        return None

    @pytest.fixture
    def invalidate(self) -> Act | None:
        """Return a function that gives the source content that is no configuration."""
        return None

    @pytest.fixture
    def remove(self) -> Act | None:
        """Return a function that takes the content away, as a deleted file is."""
        return None

    @pytest.fixture
    def supports_watch(self, calls: SourceCalls) -> bool:
        """Tell whether the source gives hints; by default if it has `watch`."""
        return calls.has("watch")

    @pytest.fixture
    def supports_put(self, calls: SourceCalls) -> bool:
        """Tell whether the source can be written; by default if it has `put`."""
        return calls.has("put")

    @pytest.fixture
    def secrets(self) -> tuple[str, ...]:
        """Return what the source was given that nobody may see, as a password."""
        return ()

    @pytest.fixture
    def patience(self) -> float:
        """Return how many seconds a hint may take."""
        return 5.0

    # -- what the tests use ------------------------------------------------------

    @pytest.fixture
    def calls(self, source: object) -> SourceCalls:
        """Return the source's hooks."""
        return SourceCalls(source)

    @pytest.fixture
    def changing(self, change: Act | None) -> Act:
        """Return `change`, or skip."""
        return change or pytest.skip("no `change`")

    @pytest.fixture
    def watched(self, supports_watch: bool) -> None:
        """Skip unless the source gives hints."""
        if not supports_watch:
            pytest.skip("no `watch`")

    @pytest.fixture
    def writable(self, supports_put: bool) -> None:
        """Skip unless the source can be written."""
        if not supports_put:
            pytest.skip("no `put`")
