"""A module that keeps the contract, and ones that break it; likewise strategies.

`breaks` names the clauses that turn red.
"""

from __future__ import annotations

import itertools
import threading

import pytest

from midflight import Plan, hookimpl
from midflight.testing import FakeModule, ModuleContract, StrategyContract
from midflight_plugins.strategies import Surgical


class Limiter(FakeModule):
    """Keeps its contract."""

    @hookimpl
    def prepare(self, config):
        if config["rate"] < 0:
            raise ValueError("a rate below 0")
        return super().prepare(config)

    @hookimpl
    def start(self, config):
        if config["rate"] == 0:
            raise ValueError("a rate of 0")
        super().start(config)


class TestLimiter(ModuleContract):
    kind: type[FakeModule] = Limiter
    breaks: tuple[str, ...] = ()

    @pytest.fixture
    def module(self):
        return self.kind

    @pytest.fixture
    def config(self):
        return {"rate": 1}

    @pytest.fixture
    def other_config(self):
        return {"rate": 2}

    @pytest.fixture
    def refused_config(self):
        return {"rate": -1}

    @pytest.fixture
    def failing_config(self):
        return {"rate": 0}


class Sick(Limiter):
    @hookimpl
    def probe(self):
        raise RuntimeError("sick")


class TestSick(TestLimiter):
    kind = Sick
    breaks = ("test_starts_healthy",)


class Counting(Limiter):
    """Starts with other values each time."""

    starts = itertools.count()

    @hookimpl
    def start(self, config):
        self.config = {**config, "starts": next(Counting.starts)}


class TestCounting(TestLimiter):
    kind = Counting
    breaks = ("test_starts_again_as_a_new_object",)


class Strict(Limiter):
    @hookimpl
    def stop(self):
        if self.config is None:
            raise RuntimeError("not started")


class TestStrict(TestLimiter):
    kind = Strict
    breaks = ("test_stops_before_it_started",)


class Occupied(Limiter):
    """Cannot start where a failed start was."""

    taken = False

    @hookimpl
    def start(self, config):
        if Occupied.taken:
            raise RuntimeError("taken")
        Occupied.taken = config["rate"] == 0
        super().start(config)


class TestOccupied(TestLimiter):
    kind = Occupied
    breaks = ("test_stops_after_a_failed_start",)


class Littering(Limiter):
    """Leaves a thread behind at every turn."""

    end = threading.Event()

    @hookimpl
    def prepare(self, config):
        threading.Thread(target=self.end.wait, args=(30,), daemon=True).start()


class TestLittering(TestLimiter):
    kind = Littering
    breaks = ("test_leaves_nothing_behind", "test_discarding_leaves_nothing")

    @pytest.fixture
    def patience(self):
        return 0.2


class Hasty(Limiter):
    """Applies what it was asked to prepare, and refuses nothing."""

    @hookimpl
    def prepare(self, config):
        self.config = config


class TestHasty(TestLimiter):
    kind = Hasty
    breaks = ("test_preparing_shows_no_effect", "test_refuses_before_anything_changed")


class Stubborn(Limiter):
    @hookimpl
    def reconfigure(self, config):
        pass


class TestStubborn(TestLimiter):
    kind = Stubborn
    breaks = ("test_takes_a_change",)


class Growing(Limiter):
    @hookimpl
    def reconfigure(self, config):
        self.config = {**config, "times": len(self.config)}


class TestGrowing(TestLimiter):
    kind = Growing
    breaks = (
        "test_takes_a_change_back",
        "test_takes_the_same_again",
        "test_changes_as_a_restart_would",
    )


class Scribbling(Limiter):
    """Writes into a typed configuration."""

    @hookimpl
    def reconfigure(self, config):
        config["rates"].append(1)


class TestScribbling(TestLimiter):
    kind = Scribbling
    breaks = ("test_keeps_its_hands_off_its_configuration",)

    @pytest.fixture
    def reconfigurable(self):
        return {"rate": 2, "rates": [2]}, {"rate": 1, "rates": [1]}


# -- strategies --------------------------------------------------------------------


class TestSurgical(StrategyContract):
    kind: type = Surgical
    breaks: tuple[str, ...] = ()

    @pytest.fixture
    def strategy(self):
        return self.kind()

    @pytest.fixture
    def count(self):
        return 50


class Idle:
    @hookimpl
    def on_change(self, change):
        return Plan(reason="nothing to do")


class TestIdle(TestSurgical):
    kind = Idle
    breaks = ("test_covers_every_change",)


class Moody:
    def __init__(self):
        self.moods = itertools.cycle([True, False])

    @hookimpl
    def on_change(self, change):
        return Plan.full(change.diff, f"mood {next(self.moods)}")


class TestMoody(TestSurgical):
    kind = Moody
    breaks = ("test_decides_alike_each_time",)


class Meddling:
    @hookimpl
    def on_change(self, change):
        object.__setattr__(change, "read_sections", frozenset({"x", "y"}))
        return Plan.full(change.diff)


class TestMeddling(TestSurgical):
    kind = Meddling
    breaks = ("test_leaves_the_change_as_it_is",)


class Choosy:
    @hookimpl
    def on_change(self, change):
        return Surgical().on_change(change) if change.diff else None


class TestChoosy(TestSurgical):
    kind = Choosy
    breaks = ("test_accepts_that_nothing_differs",)


class Silent:
    @hookimpl
    def on_change(self, change):
        return Plan.full(change.diff, "")


class TestSilent(TestSurgical):
    kind = Silent
    breaks = ("test_says_why",)
