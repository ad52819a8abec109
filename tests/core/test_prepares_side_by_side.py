from __future__ import annotations

import threading
import time

import pytest

from midflight import Applied, Rejected, RolledBack, hookimpl
from midflight.testing import FakeSystem, wait_until

NAMES = ("a", "b", "c")  # a change takes them from the last to the first


def ended(bench, count=None):
    """Tell whether each prepared thing, or `count` of them, was used or discarded."""
    ends = sorted(map(id, (*bench.used, *bench.discarded)))
    return ends == sorted(map(id, bench.prepared)) and count in (None, len(ends))


def no_thread(*_):
    """Refuse a thread, as an exhausted machine does."""
    msg = "can't start new thread"
    raise RuntimeError(msg)


def at_once(bench, names=NAMES, wait=5):
    """Let the `prepare` of each of these modules wait for that of the others."""
    meeting = threading.Barrier(len(names), timeout=wait)
    for name in names:
        bench.script(name, "prepare", lambda *_: meeting.wait())
    return meeting


def as_time_passes(bench, raw):
    """Return the outcome of a change that hangs, and the simulated seconds it took."""
    outcomes, begun = [], bench.system.monotonic()
    changing = threading.Thread(target=lambda: outcomes.append(bench.change(raw)))
    changing.start()
    met_by = time.monotonic() + 15
    while not outcomes and time.monotonic() < met_by:
        bench.system.advance(1)
        changing.join(0.01)
    [outcome] = outcomes
    return outcome, bench.system.monotonic() - begun


def test_modules_that_say_so_are_prepared_at_the_same_time(bench):
    """Each waits in `prepare` for the two others: one by one they never meet."""
    bench.run(bench.document(1, names=NAMES, kind="parallel"))
    at_once(bench)

    outcome = bench.change(bench.document(2, names=NAMES, kind="parallel"))

    assert isinstance(outcome, Applied), outcome.faults
    assert bench.values() == {name: {"v": 2} for name in NAMES}
    assert len(set(map(id, bench.used))) == len(bench.prepared) == 2 * len(NAMES)


def test_modules_that_do_not_say_so_are_prepared_one_by_one(bench):
    """No `prepare` begins before that of the module before it has ended."""
    bench.run(bench.document(1, names=NAMES))
    at_once(bench, wait=0.2)

    outcome = bench.change(bench.document(2, names=NAMES))

    assert isinstance(outcome, Rejected)
    assert "BrokenBarrierError" in str(outcome.faults[0])


def test_a_module_is_prepared_after_what_it_depends_on(bench):
    """What depends on a module of the same change waits for its turn."""
    first, second = (bench.document(v, names=NAMES, kind="parallel") for v in (1, 2))
    for raw in (first, second):
        raw["modules"][0]["dependsOn"] = ["a"]
    bench.run(first)
    at_once(bench, names=("a", "b"))
    before = []
    bench.script("c", "prepare", lambda *_: before.extend(bench.prepared[3:]))

    outcome = bench.change(second)

    assert isinstance(outcome, Applied), outcome.faults
    assert "a" in {name for name, *_ in before}


def test_what_a_module_depends_on_need_not_prepare_itself(bench):
    """It keeps its dependents in their turn all the same, behind what it needs."""

    class Bare:
        def __init__(self, name):
            self.name = name

        @hookimpl
        def start(self):
            pass

    def document(value):
        kinds = {"a": ("plain", []), "b": ("bare", ["a"]), "c": ("parallel", ["b"])}
        return {
            "modules": [
                {"name": name, "type": kind, "config": {"v": value}, "dependsOn": needs}
                for name, (kind, needs) in kinds.items()
            ]
            + [{"name": "d", "type": "parallel", "config": {"v": value}}]
        }

    bench.run(document(1), modules={**bench.types(), "bare": Bare})
    met = threading.Event()
    bench.script("d", "prepare", lambda *_: met.set())
    bench.script("a", "prepare", lambda *_: met.wait(5))

    bench.change(document(2))

    order = [name for hook, name in bench.log if hook == "prepare"]
    assert order.index("a") < order.index("c")
    assert met.is_set()


def test_the_first_that_refuses_is_the_one_that_is_named(bench):
    """In the order of the plan, whichever of them fails first on the clock."""
    bench.run(bench.document(1, names=NAMES, kind="parallel"))
    other_failed = threading.Event()

    def late(_module, _config):
        assert other_failed.wait(5)
        msg = "the first"
        raise ValueError(msg)

    def soon(_module, _config):
        other_failed.set()
        raise ValueError

    bench.script("c", "prepare", late)
    bench.script("b", "prepare", soon)
    outcome = bench.change(bench.document(2, names=NAMES, kind="parallel"))

    assert isinstance(outcome, Rejected)
    assert [fault.path for fault in outcome.faults] == [("modules", "c")]
    assert "the first" in str(outcome.faults[0])
    assert ended(bench)


def test_one_that_hangs_refuses_the_change_and_loses_nothing(bench):
    """The others are discarded at once; its own result when it comes back."""
    bench.run(bench.document(1, names=NAMES, kind="parallel"))
    met = threading.Barrier(2, timeout=5)

    def hang(_module, _config):
        met.wait()
        bench.block()

    bench.script("c", "prepare", hang)
    bench.script("b", "prepare", lambda *_: met.wait())
    outcome, _ = as_time_passes(bench, bench.document(2, names=NAMES, kind="parallel"))

    assert isinstance(outcome, Rejected)
    assert "deadline" in str(outcome.faults[0]) or "E_TIMEOUT" in str(outcome.faults[0])
    assert bench.values() == {name: {"v": 1} for name in NAMES}
    bench.released.set()
    wait_until(lambda: ended(bench, 2 * len(NAMES)), "the late result to be discarded")


def test_those_that_hang_together_are_given_up_together(bench):
    """A deadline counts from when a call began, not from its turn."""
    bench.run(bench.document(1, names=NAMES, kind="parallel"))
    met = threading.Barrier(len(NAMES), timeout=5)

    def hang(_module, _config):
        met.wait()
        bench.block()

    for name in NAMES:
        bench.script(name, "prepare", hang)
    raw = bench.document(2, names=NAMES, kind="parallel")
    outcome, seconds = as_time_passes(bench, raw)

    assert isinstance(outcome, Rejected)
    assert "within 100 s" in str(outcome.faults[0])
    assert seconds < 1.5 * bench.runtime._engine.deadline
    bench.released.set()
    wait_until(lambda: ended(bench, 2 * len(NAMES)), "the late results' discarding")


def test_what_was_ready_in_time_is_taken_however_late_its_turn(bench):
    """One that ended long ago has not overrun, though those before it took long."""
    raws = [bench.document(v, names=NAMES, kind="parallel") for v in (1, 2)]
    for raw in raws:
        raw["modules"][1]["type"] = "plain"
    bench.run(raws[0])

    def long(*_):
        wait_until(lambda: "a" in {name for name, *_ in bench.prepared[3:]})
        bench.system.advance(0.9 * bench.runtime._engine.deadline)

    bench.script("c", "prepare", long)
    bench.script("b", "prepare", long)
    outcome = bench.change(raws[1])

    assert isinstance(outcome, Applied), outcome.faults


def test_one_that_still_hangs_is_not_begun_again(bench):
    """An earlier call has not come back: neither in its turn nor beside is another."""
    bench.run(bench.document(1, names=NAMES, kind="parallel"))
    bench.script("a", "prepare", bench.block)
    as_time_passes(bench, bench.document(2, names=NAMES, kind="parallel"))
    bench.forget()
    again = threading.Event()
    bench.script("a", "prepare", lambda *_: again.set(), value=3)
    bench.script("c", "prepare", lambda *_: again.wait(0.2), value=3)

    outcome = bench.change(bench.document(3, names=NAMES, kind="parallel"))

    assert isinstance(outcome, Rejected)
    assert "was not called" in str(outcome.faults[0])
    assert "a" not in bench.calls("prepare")


def test_what_has_not_begun_when_one_refuses_never_begins(bench, monkeypatch):
    """Without a thread beside, those behind the one that refuses are left alone."""
    bench.run(bench.document(1, names=NAMES, kind="parallel"))
    bench.forget()
    monkeypatch.setattr(FakeSystem, "spawn", no_thread)
    bench.script("c", "prepare", lambda *_: 1 / 0)

    outcome = bench.change(bench.document(2, names=NAMES, kind="parallel"))

    assert isinstance(outcome, Rejected)
    assert bench.calls("prepare") == ["c"]


@pytest.mark.parametrize("kind", ["parallel", "parallel rigid", "parallel async"])
@pytest.mark.parametrize("hook", ["prepare", "commit", "probe"])
@pytest.mark.parametrize("who", NAMES)
def test_whichever_of_them_fails_all_is_as_before(bench, kind, hook, who, fault):
    """No value has changed, and what was prepared was used or discarded, once."""
    bench.run(bench.document(1, names=NAMES, kind=kind))
    commit = "start" if kind == "parallel rigid" else "reconfigure"
    bench.script(who, commit if hook == "commit" else hook, fault)

    outcome = bench.change(bench.document(2, names=NAMES, kind=kind))

    assert isinstance(outcome, Rejected if hook == "prepare" else RolledBack)
    assert bench.runtime.snapshot.generation == 1
    bench.unscript()
    if hook != "prepare":  # else one of the faults has written into what was running
        assert bench.values() == {name: {"v": 1} for name in NAMES}
    assert ended(bench)
    assert bench.change(bench.document(3, names=NAMES, kind=kind)).ok
    assert bench.values() == {name: {"v": 3} for name in NAMES}


def test_a_thousand_take_few_threads_and_leave_none(bench):
    """At most eight beside, which end with the change."""
    names = tuple(f"n{at}" for at in range(1000))
    bench.run(bench.document(1, names=names, kind="parallel"))
    threads = set()
    for name in names:
        bench.script(
            name, "prepare", lambda *_: threads.add(threading.current_thread())
        )

    outcome = bench.change(bench.document(2, names=names, kind="parallel"))

    assert isinstance(outcome, Applied), outcome.faults
    assert ended(bench, 2 * len(names))
    assert len(threads) <= 9
    helpers = [each for each in threads if each.name == "midflight-prepare"]
    wait_until(lambda: not any(each.is_alive() for each in helpers), "their end")


def test_a_stop_does_not_wait_for_those_that_hang_beside(bench):
    """It ends in its time, however many calls have not come back."""
    runtime = bench.run(bench.document(1, names=NAMES, kind="parallel"))
    met = threading.Barrier(len(NAMES) + 1, timeout=5)

    def hang(_module, _config):
        met.wait()
        bench.block()

    for name in NAMES:
        bench.script(name, "prepare", hang)
    raw = bench.document(2, names=NAMES, kind="parallel")
    changing = threading.Thread(target=bench.change, args=(raw,))
    changing.start()
    met.wait()
    begun, stopping = bench.system.monotonic(), threading.Thread(target=runtime.stop)
    stopping.start()
    met_by = time.monotonic() + 10
    while stopping.is_alive() and time.monotonic() < met_by:
        bench.system.advance(0.1)
        stopping.join(0.01)
    changing.join(5)

    assert not stopping.is_alive()
    assert not changing.is_alive()
    assert bench.system.monotonic() - begun < 12


def test_a_reload_from_within_waits_for_nobody(bench):
    """A `prepare` on a thread beside is inside the change, as it is in its turn."""
    bench.run(bench.document(1, names=NAMES, kind="parallel"))
    meeting, asked = threading.Barrier(3, timeout=5), []

    def reload(_module, _config):
        meeting.wait()
        asked.append(bench.runtime.reload())

    for name in NAMES:
        bench.script(name, "prepare", reload)
    outcome = bench.change(bench.document(2, names=NAMES, kind="parallel"))

    assert isinstance(outcome, Applied), outcome.faults
    assert len(asked) == 3


def test_without_a_thread_each_is_prepared_in_its_turn(bench, monkeypatch):
    """Where the machine has no thread to spare, the change only takes longer."""
    bench.run(bench.document(1, names=NAMES, kind="parallel"))
    bench.forget()
    monkeypatch.setattr(FakeSystem, "spawn", no_thread)

    outcome = bench.change(bench.document(2, names=NAMES, kind="parallel"))

    assert isinstance(outcome, Applied), outcome.faults
    assert bench.calls("prepare") == list(reversed(NAMES))
