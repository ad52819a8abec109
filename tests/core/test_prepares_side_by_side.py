from __future__ import annotations

import threading
import time

from midflight import Applied, Rejected
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
    met, outcomes = threading.Barrier(2, timeout=5), []

    def hang(_module, _config):
        met.wait()
        bench.block()

    def change():
        outcomes.append(bench.change(bench.document(2, names=NAMES, kind="parallel")))

    bench.script("c", "prepare", hang)
    bench.script("b", "prepare", lambda *_: met.wait())
    changing = threading.Thread(target=change)
    changing.start()
    met_by = time.monotonic() + 15
    while not outcomes and time.monotonic() < met_by:
        bench.system.advance(1)
        changing.join(0.01)

    [outcome] = outcomes
    assert isinstance(outcome, Rejected)
    assert "deadline" in str(outcome.faults[0]) or "E_TIMEOUT" in str(outcome.faults[0])
    assert bench.values() == {name: {"v": 1} for name in NAMES}
    bench.released.set()
    wait_until(lambda: ended(bench, 2 * len(NAMES)), "the late result to be discarded")


def test_what_has_not_begun_when_one_refuses_never_begins(bench, monkeypatch):
    """Without a thread beside, those behind the one that refuses are left alone."""
    bench.run(bench.document(1, names=NAMES, kind="parallel"))
    bench.forget()
    monkeypatch.setattr(FakeSystem, "spawn", no_thread)
    bench.script("c", "prepare", lambda *_: 1 / 0)

    outcome = bench.change(bench.document(2, names=NAMES, kind="parallel"))

    assert isinstance(outcome, Rejected)
    assert bench.calls("prepare") == ["c"]


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
