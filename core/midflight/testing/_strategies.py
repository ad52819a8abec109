"""What every strategy promises, as tests that its author inherits."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from midflight._change import Change, ModuleType, settle
from midflight._diff import Diff
from midflight._document import Document
from midflight._plan import Verdict
from midflight.testing._calls import StrategyCalls
from midflight.testing._garbage import OwnGarbage

_TYPES = {"plain": False, "live": True, "reader": True}
_NAMES = "abcdef"


class StrategyContract(OwnGarbage):
    """Inherit from this in a class called `Test…` and override the fixture `strategy`.

    Override `count` for more or fewer changes, and `seed` for other ones.
    """

    @pytest.fixture
    def strategy(self) -> object:
        """Return the strategy, as its class makes it without arguments."""
        msg = "override the fixture `strategy`"
        raise NotImplementedError(msg)

    @pytest.fixture
    def count(self) -> int:
        """Return how many changes to try."""
        return 200

    @pytest.fixture
    def seed(self) -> int:
        """Return where the row of changes begins."""
        return 1

    @pytest.fixture
    def calls(self, strategy: object) -> StrategyCalls:
        """Return the strategy's hook."""
        return StrategyCalls(strategy)

    @pytest.fixture
    def changes(self, count: int, seed: int) -> list[Change]:
        """Return changes of every kind, the same ones for the same seed."""
        return list(_changes(count, seed))

    def test_covers_every_change(
        self, calls: StrategyCalls, changes: list[Change]
    ) -> None:
        """The core accepts each plan: every touched module has a step that fits."""
        for change in changes:
            plan = calls.plan(change)
            if plan.verdict is not Verdict.REFUSE:
                settle(plan, change)

    def test_decides_alike_each_time(
        self, strategy: object, calls: StrategyCalls, changes: list[Change]
    ) -> None:
        """Equal changes give equal plans, from a new strategy too."""
        first = [calls.plan(change) for change in changes]
        again = [calls.plan(change) for change in reversed(changes)]
        other = StrategyCalls(type(strategy)())

        assert first == again[::-1]
        assert first == [other.plan(change) for change in changes]

    def test_leaves_the_change_as_it_is(
        self, calls: StrategyCalls, changes: list[Change]
    ) -> None:
        """A strategy looks at a change and writes nothing into it."""
        before = [_shown(change) for change in changes]
        for change in changes:
            calls.plan(change)

        assert [_shown(change) for change in changes] == before

    def test_accepts_that_nothing_differs(
        self, calls: StrategyCalls, changes: list[Change]
    ) -> None:
        """An empty diff gives a plan that the core accepts."""
        for change in changes[:20]:
            same = Change(
                Diff.between(change.diff.old, change.diff.old), change.modules
            )
            plan = calls.plan(same)
            if plan.verdict is not Verdict.REFUSE:
                settle(plan, same)

    def test_says_why(self, calls: StrategyCalls, changes: list[Change]) -> None:
        """Each step has a reason; so has a plan that is not carried out at once."""
        for change in changes:
            plan = calls.plan(change)

            assert [step for step in plan.steps if not step.reason] == []
            assert plan.verdict is Verdict.APPLY or plan.reason


def _shown(change: Change) -> tuple[Any, ...]:
    diff = change.diff
    sides = [repr(side.as_mapping()) for side in (diff.old, diff.new)]
    rest = dict(change.modules), change.degraded, change.read_sections
    return (*sides, repr(diff), repr(rest))


def _changes(count: int, seed: int) -> Iterator[Change]:
    """Yield changes between documents that differ by little, and by much."""
    chance = random.Random(seed)  # noqa: S311  # a row of test data
    old = _document(_entries(chance), chance)
    for _ in range(count):
        entries = {
            name: {**module.as_mapping()}
            for name, module in old.modules.items()
            if chance.random() > 0.15
        }
        fresh = _entries(chance)
        entries |= {name: fresh[name] for name in fresh if chance.random() < 0.3}
        new = _document(entries, chance)
        if new != old:
            yield _change(old, new, chance)
        old = new


def _entries(chance: random.Random) -> dict[str, dict[str, Any]]:
    names = chance.sample(_NAMES, chance.randint(0, len(_NAMES)))
    return {
        name: {
            "type": chance.choice(sorted(_TYPES)),
            "config": {"rate": chance.randint(0, 2)},
            "dependsOn": [each for each in _NAMES if each < name][
                : chance.choice([0, 0, 1, 2])
            ],
        }
        for name in sorted(names)
    }


def _document(entries: dict[str, dict[str, Any]], chance: random.Random) -> Document:
    modules = {
        name: {
            **{key: value for key, value in entry.items() if key != "name"},
            "dependsOn": [
                each for each in entry.get("dependsOn", ()) if each in entries
            ],
        }
        for name, entry in entries.items()
    }
    sections = {name: chance.randint(0, 3) for name in ("platform", "other")}
    return Document.from_mapping({"modules": modules, **sections})


class _Reader:
    sections = ("platform",)


def _change(old: Document, new: Document, chance: random.Random) -> Change:
    kinds = {
        name: ModuleType(module.type, _FACTORIES[module.type], _TYPES[module.type])
        for name, module in old.modules.items()
    }
    degraded = tuple(name for name in kinds if chance.random() < 0.1)
    read = frozenset({"other"}) if chance.random() < 0.5 else frozenset[str]()
    return Change(Diff.between(old, new), kinds, degraded, read)


_FACTORIES: dict[str, type] = {"plain": object, "live": object, "reader": _Reader}
