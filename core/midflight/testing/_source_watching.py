"""What every source that gives hints promises about them."""

from __future__ import annotations

import pytest

from midflight.testing._calls import Belongings, SourceCalls, runtime_of
from midflight.testing._source_fixtures import Act, SourceFixtures
from midflight.testing._system import wait_until

_READS = 30  # more than one change gives hints


class WatchingClauses(SourceFixtures):
    """A part of `SourceContract`."""

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
    def test_reading_gives_no_hint(
        self, calls: SourceCalls, changing: Act, patience: float
    ) -> None:
        """A source that hints at its own reads would be read without end."""
        hints: list[int] = []
        with calls.watch(lambda: hints.append(1)):
            changing()
            wait_until(lambda: hints, "a hint", patience)
            hints.clear()
            for _ in range(_READS):
                calls.token(), calls.load()
            changing()  # its hint comes after those of the reads
            wait_until(lambda: hints, "a hint", patience)

        assert len(hints) < _READS, "each read gives a hint"

    @pytest.mark.usefixtures("watched")
    def test_a_hint_comes_when_the_change_can_be_read(
        self, source: object, changing: Act, patience: float
    ) -> None:
        """A runtime that does nothing but follow hints applies every change."""
        with runtime_of(source, watch=True, sweep=3600) as runtime:
            for _ in range(3):
                due = runtime.snapshot.generation + 1
                changing()
                runtime.wait(due, patience)

            assert runtime.snapshot.digest == runtime.read()[0].digest

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
    def test_a_watch_leaves_nothing_behind(
        self, calls: SourceCalls, patience: float
    ) -> None:
        """Neither a thread nor a descriptor outlives the exit."""
        with calls.watch(lambda: None):
            calls.load()  # what this opens may stay until `stop`
        before = Belongings()
        for _ in range(5):
            with calls.watch(lambda: None):
                calls.load()

        advice = "end what a watch begins at its exit; what a read opens, in `stop`"
        before.wait_until_back(patience, advice)
