from __future__ import annotations

import contextlib
import inspect
import itertools
import threading

import pytest
from _pytest.outcomes import Failed

from midflight import Document, Loaded, Plan, hookimpl
from midflight.errors import InvalidConfigurationError
from midflight.testing import (
    FakeModule,
    FakeSource,
    ModuleContract,
    SourceContract,
    StrategyContract,
)
from midflight.testing._calls import ModuleCalls, SourceCalls, StrategyCalls
from midflight.testing._strategies import _changes
from midflight_plugins.memory import MemorySource
from midflight_plugins.strategies import Surgical

RED = (AssertionError, Failed, Exception)


def run(suite, clause, **fixtures):
    """Run one clause of a suite with these fixtures."""
    test = getattr(suite(), clause)
    test(**{name: fixtures[name] for name in inspect.signature(test).parameters})


class Restless(FakeSource):
    """Its token differs each time."""

    @hookimpl
    def hash(self):
        self.hashes += 1
        return str(self.hashes)


class Asleep(FakeSource):
    """Its token never differs."""

    @hookimpl
    def hash(self):
        return "same"


class Stale(FakeSource):
    """Loads what it loaded first."""

    first = None

    @hookimpl
    def load(self):
        self.first = self.first or super().load()
        return self.first


class Sharing(FakeSource):
    """Changes what it returned before."""

    def __init__(self, raw):
        super().__init__(raw)
        self.shared: dict = {}

    @hookimpl
    def load(self):
        self.shared.update(self._content)
        return self.shared


class Listing(FakeSource):
    """Returns no document."""

    @hookimpl
    def load(self):
        return ["a"]


class Bound(FakeSource):
    """Can be read by the thread that made it, as some connections can."""

    def __init__(self, raw):
        super().__init__(raw)
        self.owner = threading.current_thread()

    @hookimpl
    def load(self):
        if threading.current_thread() is not self.owner:
            raise RuntimeError("a stranger's thread")
        return super().load()


class Late(FakeSource):
    """Gives another document under the same token a little later."""

    @hookimpl
    def hash(self):
        return "same"


class Empty(FakeSource):
    """Takes what is not there for an empty configuration."""

    @hookimpl
    def hash(self):
        return "same"

    @hookimpl
    def load(self):
        return super().load() if self._error is None else {}


class Nameless(FakeSource):
    name = "db://ada:hunter2@host"


class Lenient(FakeSource):
    """Takes anything, and says nothing."""

    @hookimpl
    def load(self):
        with contextlib.suppress(InvalidConfigurationError):
            return Loaded(Document.from_mapping(self._content))
        return {}


class Deaf(FakeSource):
    """Has a watch that gives no hint."""

    def hint(self, times=1):
        pass


class Sticky(FakeSource):
    """Goes on giving hints after the exit."""

    @contextlib.contextmanager
    def _watched(self, notify):
        self._notify.append(notify)
        yield


class Once(FakeSource):
    """Has a watch that can be left once only."""

    @hookimpl
    def watch(self, notify):
        class Watch:
            def __enter__(self):
                pass

            def __exit__(self, *_):
                del self.__class__.__exit__

        return Watch()


class Leaky(FakeSource):
    """Leaves a thread behind."""

    end = threading.Event()

    @hookimpl
    def watch(self, notify):
        threading.Thread(target=self.end.wait, args=(20,), daemon=True).start()
        return contextlib.nullcontext()


class Forgetful(MemorySource):
    """Stores nothing."""

    def put(self, *_):
        return 2


class Careless(MemorySource):
    """Stores whatever the version."""

    def put(self, document, *_):
        return self.set(document)


class Rewording(MemorySource):
    """Writes into the text that it is given."""

    def put(self, document, expected_version, author, message, text):
        text = text and f"# put by {author}\n{text}"
        return super().put(document, expected_version, author, message, text)


class Backward(MemorySource):
    """Lists the oldest version first."""

    @hookimpl
    def history(self, limit):
        return super().history(100)[::-1]


SOURCES = [
    ("test_a_read_gives_a_document", Listing),
    ("test_equal_tokens_mean_equal_documents", Restless),
    ("test_a_change_gives_another_token", Asleep),
    ("test_a_change_is_loaded_at_once", Stale),
    ("test_what_was_loaded_stays_as_it_was", Sharing),
    ("test_any_thread_can_read", Bound),
    ("test_a_token_names_one_document_beside_changes", Late),
    ("test_invalid_content_is_refused_with_its_place", Lenient),
    ("test_invalid_content_is_refused_with_its_place", FakeSource),
    ("test_recovers_from_invalid_content", Asleep),
    ("test_a_deletion_is_no_empty_document", Empty),
    ("test_a_deletion_changes_the_token", Empty),
    ("test_the_name_shows_no_secret", Nameless),
    ("test_a_change_gives_a_hint", Deaf),
    ("test_no_hint_comes_after_the_exit", Sticky),
    ("test_leaving_a_watch_twice_is_harmless", Once),
    ("test_a_watch_leaves_nothing_behind", Leaky),
    ("test_a_put_is_what_is_loaded_next", Forgetful),
    ("test_a_text_is_kept_to_the_byte", Rewording),
    ("test_a_put_on_an_old_version_is_refused", Careless),
    ("test_one_of_many_writers_wins", Careless),
    ("test_every_version_can_be_read_again", Backward),
]


@pytest.mark.parametrize(("clause", "broken"), SOURCES)
def test_a_broken_source_is_seen(clause, broken):
    """Each clause of the suite for sources fails on a source that breaks it."""
    source, numbers = broken({"platform": 0}), itertools.count(1)
    fixtures = {
        "source": source,
        "calls": SourceCalls(source),
        "changing": lambda: source.set({"platform": next(numbers)}),
        "invalidate": lambda: source.set({"modules": 5}),
        "remove": lambda: source.fail(FileNotFoundError("gone")),
        "secrets": ("hunter2",),
        "patience": 0.1,
    }

    with pytest.raises(RED):
        run(SourceContract, clause, **fixtures)


class Sick(FakeModule):
    @hookimpl
    def probe(self):
        raise RuntimeError("sick")


class Counting(FakeModule):
    """Starts with other values each time."""

    starts = 0

    @hookimpl
    def start(self, config):
        Counting.starts += 1
        self.config = {**config, "starts": Counting.starts}


class Strict(FakeModule):
    @hookimpl
    def stop(self):
        if self.config is None:
            raise RuntimeError("not started")


class Littering(FakeModule):
    """Leaves a thread behind at every turn."""

    end = threading.Event()

    @hookimpl
    def prepare(self, config):
        threading.Thread(target=self.end.wait, args=(20,), daemon=True).start()


class Hasty(FakeModule):
    """Applies what it was asked to prepare."""

    @hookimpl
    def prepare(self, config):
        self.config = config


class Stubborn(FakeModule):
    @hookimpl
    def reconfigure(self, config):
        pass


class Growing(FakeModule):
    @hookimpl
    def reconfigure(self, config):
        self.config = {**config, "times": len(self.config)}


class Occupied(FakeModule):
    """Cannot start where a failed start was."""

    taken = False

    @hookimpl
    def start(self, config):
        if Occupied.taken:
            raise RuntimeError("taken")
        Occupied.taken = True
        raise ValueError("failed")


class Writing:
    """A configuration type that can be written into."""

    def __init__(self, values):
        self.values = values

    def __repr__(self):
        return repr(self.values)


class Scribbling(FakeModule):
    @hookimpl
    def reconfigure(self, config):
        config.values["seen"] = True


MODULES = [
    ("test_starts_healthy", Sick),
    ("test_starts_again_as_a_new_object", Counting),
    ("test_stops_before_it_started", Strict),
    ("test_stops_after_a_failed_start", Occupied),
    ("test_leaves_nothing_behind", Littering),
    ("test_preparing_shows_no_effect", Hasty),
    ("test_discarding_leaves_nothing", Littering),
    ("test_refuses_before_anything_changed", FakeModule),
    ("test_takes_a_change", Stubborn),
    ("test_takes_a_change_back", Growing),
    ("test_takes_the_same_again", Growing),
    ("test_changes_as_a_restart_would", Growing),
]


@pytest.fixture
def fixtures(request):
    """Return the fixtures of the suite for modules, for one class."""
    from midflight import Runtime

    module = request.param
    runtime = Runtime(FakeSource(), modules={"under-test": module})
    config, other = {"rate": 1}, {"rate": 2}

    def make():
        return ModuleCalls(runtime, Document())

    running = make()
    if module is not Occupied:
        running.start(running.typed(config))
    yield {
        "make": make,
        "running": running,
        "config": config,
        "other": other,
        "refused_config": other,
        "failing_config": other,
        "reconfigurable": (running.typed(other), running.typed(config)),
    }
    runtime.stop()


@pytest.mark.parametrize(("clause", "fixtures"), MODULES, indirect=["fixtures"])
def test_a_broken_module_is_seen(clause, fixtures):
    """Each clause of the suite for modules fails on a module that breaks it."""
    with pytest.raises(RED):
        run(ModuleContract, clause, **fixtures)


@pytest.mark.parametrize("fixtures", [Scribbling], indirect=True)
def test_a_module_that_writes_into_its_configuration_is_seen(fixtures):
    """The suite sees what a module writes into a typed configuration."""
    fixtures["reconfigurable"] = Writing({"rate": 2}), Writing({"rate": 1})

    with pytest.raises(AssertionError):
        run(ModuleContract, "test_keeps_its_hands_off_its_configuration", **fixtures)


class Idle:
    @hookimpl
    def on_change(self, change):
        return Plan(reason="nothing to do")


class Moody:
    def __init__(self):
        self.moods = itertools.cycle([True, False])

    @hookimpl
    def on_change(self, change):
        return Plan.full(change.diff, f"mood {next(self.moods)}")


class Meddling:
    @hookimpl
    def on_change(self, change):
        object.__setattr__(change, "read_sections", frozenset({"x", "y"}))
        return Plan.full(change.diff)


class Silent:
    @hookimpl
    def on_change(self, change):
        return Plan.full(change.diff, "")


class Choosy:
    @hookimpl
    def on_change(self, change):
        return Surgical().on_change(change) if change.diff else None


@pytest.mark.parametrize(
    ("clause", "broken"),
    [
        ("test_covers_every_change", Idle),
        ("test_decides_alike_each_time", Moody),
        ("test_leaves_the_change_as_it_is", Meddling),
        ("test_accepts_that_nothing_differs", Choosy),
        ("test_says_why", Silent),
    ],
)
def test_a_broken_strategy_is_seen(clause, broken):
    """Each clause of the suite for strategies fails on a strategy that breaks it."""
    strategy = broken()
    fixtures = {
        "strategy": strategy,
        "calls": StrategyCalls(strategy),
        "changes": list(_changes(50, 1)),
    }

    with pytest.raises(RED):
        run(StrategyContract, clause, **fixtures)


@pytest.mark.parametrize(
    ("suite", "proven"),
    [
        (SourceContract, {clause for clause, _ in SOURCES}),
        (
            ModuleContract,
            {clause for clause, _ in MODULES}
            | {"test_keeps_its_hands_off_its_configuration"},
        ),
    ],
)
def test_every_clause_is_shown_to_fail(suite, proven):
    """No clause is without something broken that turns it red."""
    clauses = {name for name in dir(suite) if name.startswith("test_")}

    assert clauses == proven
