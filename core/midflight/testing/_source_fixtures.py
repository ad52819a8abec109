"""What the author of a source overrides, and what the suite makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from midflight.testing._calls import SourceCalls, unused
from midflight.testing._garbage import OwnGarbage
from midflight.testing._servers import Server

Act = Callable[[], object]


class SourceFixtures(OwnGarbage):
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
    def restore(self, change: Act | None) -> Act | None:
        """Return a function that brings content back after `remove`: `change`."""
        return change

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
    def server(self) -> Server | None:
        """Return the server that the source reads from, to be killed and started."""
        return None

    @pytest.fixture
    def changes(self) -> int:
        """Return how many changes have to be found without any hint."""
        return 20

    @pytest.fixture
    def patience(self) -> float:
        """Return how many seconds a hint, or the end of a thread, may take."""
        return 5.0

    # -- what the tests use ------------------------------------------------------

    @pytest.fixture
    def calls(self, source: object) -> Iterator[SourceCalls]:
        """Yield the source's hooks; it is stopped afterwards."""
        calls = SourceCalls(source)
        yield calls
        if calls.has("stop"):
            calls.call("stop")
        unused(calls.runtime)

    @pytest.fixture
    def changing(self, change: Act | None) -> Act:
        """Return `change`, or skip."""
        return given(change, "change")

    @pytest.fixture
    def outage(self, server: Server | None) -> Iterator[Server]:
        """Yield `server`, or skip; it runs again afterwards."""
        if server is None:
            pytest.skip("no `server`")
        yield server
        server.start()

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


def given(act: Act | None, name: str) -> Act:
    """Return what an author gave under a name, or skip."""
    return act or pytest.skip(f"no `{name}`")
