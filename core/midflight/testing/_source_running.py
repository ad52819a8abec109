"""What every source promises to a runtime that reads it for long."""

from __future__ import annotations

import os

import pytest

from midflight._runtime import Runtime
from midflight.testing._calls import Belongings, Child, runtime_of
from midflight.testing._faults import faulty
from midflight.testing._source_fixtures import Act, SourceFixtures


class RunningClauses(SourceFixtures):
    """A part of `SourceContract`."""

    def test_no_change_is_missed_without_hints(
        self, source: object, changing: Act, changes: int, patience: float
    ) -> None:
        """Each of many changes is applied, though every hint is lost."""
        blind = faulty(source, hints=0)
        with runtime_of(blind, watch=True, sweep=0.005, backoff=0.05) as runtime:
            first = runtime.snapshot.generation
            for number in range(1, changes + 1):
                changing()
                runtime.wait(first + number, timeout=2 * patience)

            assert runtime.snapshot.generation == first + changes
            assert runtime.snapshot.digest == runtime.read()[0].digest

    def test_a_stopped_runtime_leaves_nothing_behind(
        self, source: object, patience: float
    ) -> None:
        """Neither a thread nor a descriptor of the source outlives a runtime."""
        before = Belongings()
        with runtime_of(source, watch=True):
            pass
        for _ in range(3):
            with runtime_of(source, watch=True) as runtime:
                runtime.reload()

        before.wait_until_back(patience, "close it in `stop`")

    def test_a_stopped_source_can_be_read_again(self, source: object) -> None:
        """After the end of one runtime another one reads the same source object."""
        digests = set()
        for _ in range(3):
            with runtime_of(source, watch=True) as runtime:
                digests.add(runtime.snapshot.digest)

        assert len(digests) == 1

    def test_one_runtime_ends_and_another_goes_on(
        self, source: object, changing: Act
    ) -> None:
        """Of two runtimes on one source object, the end of one hurts not the other."""
        with runtime_of(source, watch=True) as second:
            with runtime_of(source, watch=True):
                pass
            changing()
            outcome, seen = second.reload(), second.snapshot.digest
            wanted = second.read()[0].digest

        assert outcome.ok
        assert seen == wanted

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no `os.fork`")
    def test_a_forked_child_reads_for_itself(
        self, source: object, change: Act | None, patience: float
    ) -> None:
        """Parent and child read at once, each by itself, and the parent goes on."""
        with runtime_of(source, watch=True) as runtime:
            child = Child(lambda: _reads(runtime))
            here, there = _reads(runtime), child.answer(4 * patience)
            if change is not None:
                change()
            outcome, seen = runtime.reload(), runtime.snapshot.digest
            wanted = runtime.read()[0].digest

        assert here == there
        assert outcome.ok
        assert seen == wanted


def _reads(runtime: Runtime) -> str:
    """Read again and again; return what that gave."""
    outcomes = {runtime.reload().ok for _ in range(20)}
    return f"{outcomes} {runtime.read()[0].digest}"
