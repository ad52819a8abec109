"""What every module promises, as tests that its author inherits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from midflight._document import Document
from midflight._runtime import Runtime
from midflight.hookspecs import Health
from midflight.testing._calls import Belongings, ModuleCalls, unused
from midflight.testing._fakes import FakeSource
from midflight.testing._garbage import OwnGarbage

Config = Mapping[str, Any]


class ModuleContract(OwnGarbage):
    """Inherit from this in a class called `Test…` and override the fixture `module`.

    Override `config` if the module needs one, `other_config` if it can be changed, and
    `refused_config` and `failing_config` if there are such. What is not given skips the
    tests that need it. To see a change, the module must have `probe`.
    """

    # -- what an author overrides ------------------------------------------------

    @pytest.fixture
    def module(self) -> Callable[[str], object]:
        """Return the module's class, or a factory that takes its name."""
        msg = "override the fixture `module`"
        raise NotImplementedError(msg)

    @pytest.fixture
    def config(self) -> Config:
        """Return a configuration the module starts with."""
        return {}

    @pytest.fixture
    def other_config(self) -> Config | None:
        """Return another one, whose values `probe` shows."""
        return None

    @pytest.fixture
    def refused_config(self) -> Config | None:
        """Return one that `prepare`, or the class's `Config`, refuses."""
        return None

    @pytest.fixture
    def failing_config(self) -> Config | None:
        """Return one that `prepare` takes and `start` fails with."""
        return None

    @pytest.fixture
    def document(self) -> Document:
        """Return the whole document, for a module that reads sections of it."""
        return Document()

    @pytest.fixture
    def patience(self) -> float:
        """Return how many seconds a thread of the module may take to end."""
        return 5.0

    # -- what the tests use ------------------------------------------------------

    @pytest.fixture
    def make(
        self, module: Callable[[str], object], document: Document
    ) -> Iterator[Callable[[], ModuleCalls]]:
        """Return a function that makes one object of the module."""
        runtime = Runtime(FakeSource(), modules={"under-test": module})
        yield lambda: ModuleCalls(runtime, document)
        unused(runtime)

    @pytest.fixture
    def running(
        self, make: Callable[[], ModuleCalls], config: Config
    ) -> Iterator[ModuleCalls]:
        """Yield an object that runs on `config`."""
        calls = make()
        calls.start(calls.typed(config))
        yield calls
        calls.stop()

    @pytest.fixture
    def other(self, other_config: Config | None) -> Config:
        """Return `other_config`, or skip."""
        return _given(other_config, "other_config")

    @pytest.fixture
    def reconfigurable(
        self, running: ModuleCalls, config: Config, other: Config
    ) -> tuple[Any, Any]:
        """Return the other and this configuration, typed; skip without the hook."""
        if not running.has("reconfigure"):
            pytest.skip("no `reconfigure`")
        return running.typed(other), running.typed(config)

    # -- a module's life ---------------------------------------------------------

    def test_starts_healthy(self, running: ModuleCalls) -> None:
        """After `start`, `probe` gives `Health` or a mapping, and nothing is wrong."""
        health = running.probe()

        assert isinstance(health, Health)
        assert health.healthy, health.detail
        assert all(isinstance(key, str) for key in health.values)

    def test_starts_again_as_a_new_object(
        self, make: Callable[[], ModuleCalls], config: Config
    ) -> None:
        """After `stop` a new object starts in the same place, with the same values."""
        values = []
        for _ in range(3):
            calls = make()
            calls.start(calls.typed(config))
            values.append(dict(calls.probe().values))
            calls.stop()

        assert values[1:] == values[:-1]

    def test_stops_before_it_started(
        self, make: Callable[[], ModuleCalls], config: Config
    ) -> None:
        """`stop` is harmless on an object whose `start` failed at its first line."""
        calls = make()
        calls.prepare(calls.typed(config))

        calls.stop()

    def test_stops_after_a_failed_start(
        self,
        make: Callable[[], ModuleCalls],
        config: Config,
        failing_config: Config | None,
    ) -> None:
        """After a `start` that failed and `stop`, a new object starts well."""
        failing, calls = _given(failing_config, "failing_config"), make()
        with pytest.raises(BaseException):  # noqa: B017  # whatever the author raises
            calls.start(calls.typed(failing))
        calls.stop()
        second = make()
        second.start(second.typed(config))
        healthy = second.probe().healthy
        second.stop()

        assert healthy

    def test_leaves_nothing_behind(
        self, make: Callable[[], ModuleCalls], config: Config, patience: float
    ) -> None:
        """Neither a thread nor a descriptor outlives `stop`."""
        _live(make(), config)
        before = Belongings()
        for _ in range(5):
            _live(make(), config)

        before.wait_until_back(patience, "close it in `stop`")

    # -- preparing ---------------------------------------------------------------

    def test_preparing_shows_no_effect(
        self, running: ModuleCalls, other: Config
    ) -> None:
        """`prepare` leaves a running module as it is."""
        before = running.probe()
        prepared = running.prepare(running.typed(other))
        after = running.probe()
        running.discard(prepared)

        assert after == before

    def test_discarding_leaves_nothing(
        self, running: ModuleCalls, other: Config, patience: float
    ) -> None:
        """What was prepared and discarded is as if it had never been."""
        typed, before = running.typed(other), running.probe()
        running.discard(running.prepare(typed))
        belongings = Belongings()
        for _ in range(5):
            running.discard(running.prepare(typed))

        belongings.wait_until_back(patience, "close it in `discard`")
        assert running.probe() == before

    def test_refuses_before_anything_changed(
        self, running: ModuleCalls, refused_config: Config | None
    ) -> None:
        """A configuration that cannot work is refused while the old one runs on."""
        refused, before = _given(refused_config, "refused_config"), running.probe()
        with pytest.raises(Exception):  # noqa: B017  # whatever the author raises
            running.prepare(running.typed(refused))

        assert running.probe() == before

    # -- changing ----------------------------------------------------------------

    def test_takes_a_change(
        self, running: ModuleCalls, reconfigurable: tuple[Any, Any]
    ) -> None:
        """After `reconfigure`, `probe` shows other values, in good health."""
        other, config = reconfigurable
        before = running.probe()
        running.reconfigure(other, config)
        after = running.probe()

        assert after.healthy, after.detail
        assert after.values != before.values

    def test_takes_a_change_back(
        self, running: ModuleCalls, reconfigurable: tuple[Any, Any]
    ) -> None:
        """A change that is taken back leaves what `probe` showed before it."""
        other, config = reconfigurable
        before = running.probe()
        running.reconfigure(other, config)
        running.reconfigure(config, other)

        assert running.probe() == before

    def test_takes_the_same_again(
        self, running: ModuleCalls, reconfigurable: tuple[Any, Any]
    ) -> None:
        """`reconfigure` to what is in force changes nothing."""
        _, config = reconfigurable
        before = running.probe()
        running.reconfigure(config, config)

        assert running.probe() == before

    def test_changes_as_a_restart_would(
        self,
        running: ModuleCalls,
        make: Callable[[], ModuleCalls],
        reconfigurable: tuple[Any, Any],
    ) -> None:
        """A changed module shows the values that a new one shows."""
        other, config = reconfigurable
        running.reconfigure(other, config)
        changed = dict(running.probe().values)
        running.stop()
        fresh = make()
        fresh.start(other)
        values = dict(fresh.probe().values)
        fresh.stop()

        assert changed == values

    def test_keeps_its_hands_off_its_configuration(
        self, running: ModuleCalls, reconfigurable: tuple[Any, Any]
    ) -> None:
        """The module does not write into what it was given."""
        other, config = reconfigurable
        kept = repr(other), repr(config)
        running.reconfigure(other, config)
        running.reconfigure(config, other)

        assert (repr(other), repr(config)) == kept


def _given(config: Config | None, name: str) -> Config:
    if config is None:
        pytest.skip(f"no `{name}`")
    return config


def _live(calls: ModuleCalls, config: Config) -> None:
    calls.start(calls.typed(config))
    calls.stop()
