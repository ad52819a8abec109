from __future__ import annotations

import asyncio
import threading

import pytest

from midflight import Applied, Held, hookimpl
from midflight.testing import wait_until

UP = ["m1", "m3", "m2", "m4", "m5"]  # what the others need first, else in file order


def test_modules_are_prepared_and_changed_by_dependency(bench):
    """All prepare before any changes; each after what it depends on."""
    bench.run(bench.document(1))

    outcome = bench.change(bench.document(2))

    assert isinstance(outcome, Applied)
    assert bench.calls("prepare") == UP
    assert bench.calls("reconfigure") == UP
    hooks = [hook for hook, _ in bench.log]
    assert hooks[:5] == ["prepare"] * 5


def test_modules_are_probed_after_their_own_commit(bench):
    """Each module is asked how it is before the next one is changed."""
    bench.run(bench.document(1))

    bench.change(bench.document(2))

    steps = [(hook, name) for hook, name in bench.log if hook != "prepare"]
    assert steps == [(hook, n) for n in UP for hook in ("reconfigure", "probe")]


def test_the_way_back_is_the_reverse(bench, fail):
    """What was changed last is taken back first."""
    bench.run(bench.document(1))
    bench.script("m5", "probe", fail)

    bench.change(bench.document(2))

    there_and_back = bench.calls("reconfigure")
    assert there_and_back == [*UP, *reversed(UP)]


def test_what_was_not_reached_is_discarded_in_reverse(bench, fail):
    """Prepared things that will not be used go in reverse order, once each."""
    bench.run(bench.document(1))
    bench.script("m2", "reconfigure", fail)

    bench.change(bench.document(2))

    assert [name for name, *_ in bench.discarded] == ["m5", "m4"]


def test_what_prepares_nothing_discards_nothing(bench):
    """`discard` takes what `prepare` gave; who has no `prepare` is not called."""
    discarded = []

    class Bare:
        def __init__(self, name):
            self.name = name

        @hookimpl
        def start(self):
            pass

        @hookimpl
        def reconfigure(self, config):
            if config["fail"]:
                raise OSError

        @hookimpl
        def discard(self, prepared):
            discarded.append(prepared)

    def document(fail):
        names = ("a", "b")
        return {"modules": {n: {"type": "bare", "config": fail} for n in names}}

    bench.run(document({"fail": False}), modules={"bare": Bare})

    outcome = bench.change(document({"fail": True}))

    assert outcome.name == "rolled_back"
    assert discarded == []


def test_a_restart_stops_dependents_first(bench):
    """No module is stopped while one that needs it still works."""
    bench.run(bench.document(1, kind="rigid"))

    bench.change(bench.document(2, kind="rigid"))

    assert bench.calls("stop") == UP[::-1]
    assert bench.calls("start") == UP


def test_an_overlapping_module_is_stopped_after_the_exchange(bench):
    """Where old and new may live side by side, the old one goes last."""
    seen = []
    bench.run(bench.document(1, names=("m1",), kind="overlapping"))
    runtime = bench.runtime
    stopped = lambda *_: seen.append(runtime.snapshot.generation)  # noqa: E731  # an act
    bench.script("m1", "stop", stopped, value=1)

    outcome = bench.change(bench.document(2, names=("m1",), kind="overlapping"))

    assert isinstance(outcome, Applied)
    assert seen == [2]
    assert [hook for hook, _ in bench.log][-1] == "stop"


def test_a_removed_overlapping_module_is_no_part_of_the_new_generation(bench):
    """While the old object still stops, readers do not see it any more."""
    seen = []
    names = ("m1", "m2")
    bench.run(bench.document(1, names=names, kind="overlapping"))
    runtime = bench.runtime
    look = lambda *_: seen.append(set(runtime.snapshot.running))  # noqa: E731  # an act
    bench.script("m2", "stop", look, value=1)

    bench.change(bench.document(1, names=("m1",), kind="overlapping"))

    assert seen == [{"m1"}]
    assert set(runtime.snapshot.running) == {"m1"}


def test_shutdown_stops_dependents_first(bench):
    """The end of a runtime goes against the build order."""
    runtime = bench.run(bench.document(1))

    runtime.stop()

    assert bench.calls("stop") == UP[::-1]


@pytest.mark.parametrize(
    ("old", "new"), [("plain", "rigid"), ("rigid", "plain"), ("overlapping", "plain")]
)
def test_a_type_changed_under_one_name_is_another_object(bench, old, new):
    """A module is its name and its type; another type is never reconfigured."""
    bench.run(bench.document(1, names=("m1",), kind=old))
    before = bench.runtime.module("m1")

    outcome = bench.change(bench.document(2, names=("m1",), kind=new))

    assert isinstance(outcome, Applied)
    assert bench.calls("reconfigure") == []
    assert bench.calls("stop") == ["m1"]
    after = bench.runtime.module("m1")
    assert type(after) is not type(before)
    assert bench.values() == {"m1": {"v": 2}}


def test_a_failed_type_change_brings_the_old_type_back(bench, fail):
    """After a failure the old class runs on the old values."""
    bench.run(bench.document(1, names=("m1",), kind="plain"))
    bench.script("m1", "start", fail)
    before = type(bench.runtime.module("m1"))

    bench.change(bench.document(2, names=("m1",), kind="rigid"))

    assert type(bench.runtime.module("m1")) is before
    assert bench.values() == {"m1": {"v": 1}}


def test_a_hook_finds_the_modules_it_needs_as_they_are_now(bench):
    """Inside a change, `runtime.module` gives what this change has made."""
    seen = {}
    bench.run(bench.document(1, kind="rigid"))
    runtime = bench.runtime

    def look(_module, _config):
        seen["m1"] = runtime.module("m1").v
        seen["outside"] = runtime.snapshot.document.modules["m1"].config["v"]

    bench.script("m2", "start", look)

    bench.change(bench.document(2, kind="rigid"))

    assert seen == {"m1": 2, "outside": 1}


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_hook_that_asks_for_a_reload_is_not_kept_waiting(bench, kind):
    """`reload` inside a change answers at once, and one more look follows."""
    answers = []
    bench.run(bench.document(1, kind=kind))
    runtime = bench.runtime
    bench.script("m2", "reconfigure", lambda *_: answers.append(runtime.reload()))

    outcome = bench.change(bench.document(2, kind=kind))

    assert isinstance(outcome, Applied)
    assert isinstance(answers[0], Held)
    assert answers[0].reason == "apply_in_progress"


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_who_must_not_wait_for_a_change_can_tell(bench, kind):
    """`applying` is true inside a hook, and for no other thread at that time."""
    inside, beside = [], []
    runtime = bench.run(bench.document(1, kind=kind))

    def ask(_module, _config):
        inside.append(runtime.applying)
        other = threading.Thread(target=lambda: beside.append(runtime.applying))
        other.start()
        other.join(20)

    bench.script("m2", "reconfigure", ask)
    bench.change(bench.document(2, kind=kind))

    assert (inside, beside, runtime.applying) == ([True], [False], False)


def test_the_event_loop_of_the_hooks_must_not_wait_for_a_change(bench):
    """`applying` is true for a task on that loop, and false on another loop."""
    runtime = bench.make(bench.document(1, kind="async"))

    async def main():
        async with runtime:
            return runtime.applying, await asyncio.to_thread(lambda: runtime.applying)

    async def elsewhere():
        return runtime.applying

    assert asyncio.run(main()) == (True, False)
    assert asyncio.run(elsewhere()) is False


def test_a_change_made_inside_a_change_is_taken_over_after_it(bench):
    """A source that changes and hints in mid-apply converges on the last content."""
    runtime = bench.run(bench.document(1), watch=True)
    again = lambda *_: bench.source.set(bench.document(3))  # noqa: E731  # an act
    bench.script("m2", "reconfigure", again)

    bench.source.set(bench.document(2))

    def is_applied():
        bench.system.advance(0.02)
        return runtime.snapshot.generation == 3

    wait_until(is_applied, "the third generation")
    assert bench.values() == {name: {"v": 3} for name in UP}


def test_a_module_cannot_change_its_configuration(bench):
    """What a module is given is frozen, deep down."""
    errors = []

    class Editor:
        def __init__(self, name):
            pass

        @hookimpl
        def start(self, config, document):
            for edit in (
                lambda: config.update(v=9),
                config["deep"].clear,
                lambda: document.modules.pop("m1"),
            ):
                try:
                    edit()
                except TypeError as exc:
                    errors.append(str(exc))

    raw = {"modules": {"m1": {"type": "editor", "config": {"v": 1, "deep": {"a": 1}}}}}
    bench.run(raw, modules={"editor": Editor})

    assert len(errors) == 3
    assert all("immutable" in error for error in errors)
    config = bench.runtime.snapshot.document.modules["m1"].config
    assert config == {"v": 1, "deep": {"a": 1}}


def test_a_stop_asked_for_inside_a_hook_ends_the_runtime(bench):
    """A module may end its runtime; a module that hangs then holds nothing up."""
    runtime = bench.run(bench.document(1, names=("m1", "m2")), shutdown=1.0)
    ended = threading.Event()

    def stop(*_):
        runtime.stop()
        ended.set()

    bench.script("m2", "reconfigure", stop)
    bench.script("m2", "stop", bench.hang)

    bench.source.set(bench.document(2, names=("m1", "m2")))
    asked = threading.Thread(target=_quietly(runtime.reload))
    asked.start()

    assert ended.wait(5)
    wait_until(lambda: not runtime.running, "the end")
    asked.join(5)
    assert not asked.is_alive()
    assert "m1" in bench.calls("stop")


def _quietly(call):
    def run():
        try:
            call()
        except Exception as exc:  # noqa: BLE001  # stopped or answered: both are fine
            del exc

    return run
