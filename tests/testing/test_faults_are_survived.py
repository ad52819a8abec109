from __future__ import annotations

import itertools

import pytest

from midflight import Runtime, hookimpl
from midflight.testing import SourceContract, faulty, wait_until
from midflight_plugins.file import FileSource
from midflight_plugins.memory import MemorySource


def content(number):
    """Return a small configuration that its number tells from others."""
    return {"platform": number}


@pytest.fixture
def inside():
    """The source inside."""
    return MemorySource(content(0))


@pytest.fixture
def source(inside):
    """The source under test, with no fault yet."""
    return faulty(inside)


@pytest.fixture
def runtime(source, midflight_runtime):
    """A runtime that follows it, and looks often."""
    return midflight_runtime(source, watch=True, sweep=0.02, backoff=0.02, deadline=0.3)


def applied(runtime):
    """Return the number of the configuration that is in force."""
    return runtime.snapshot.document.sections["platform"]


def reaches(runtime, number):
    """Wait until a configuration is in force, and nothing is wrong."""
    wait_until(lambda: applied(runtime) == number, f"number {number}")
    wait_until(lambda: runtime.status()["state"] == "healthy", "health")


class TestWithoutFaults(SourceContract):
    """Nothing comes between as long as nothing is switched on."""

    @pytest.fixture
    def source(self, source):
        return source

    @pytest.fixture
    def change(self, inside):
        numbers = itertools.count(1)
        return lambda: inside.set(content(next(numbers)))

    @pytest.fixture
    def invalidate(self, inside):
        return lambda: inside.set({"modules": 5})


def test_an_exception_leaves_the_last_good_in_force(source, inside, runtime):
    """While the source raises, nothing changes; then what it has is applied."""
    source.error = OSError("the disk is gone")
    inside.set(content(1))
    wait_until(lambda: runtime.status()["state"] == "degraded", "the error")
    kept = applied(runtime)
    source.error = None

    assert kept == 0
    reaches(runtime, 1)


def test_exceptions_can_be_counted(inside, midflight_runtime):
    """Of so many calls one fails, and so many times."""
    source = faulty(inside)
    runtime = midflight_runtime(source)
    source.error, source.times = OSError("a moment"), 2
    twice = [runtime.reload().ok for _ in range(4)]
    source.times, source.every = None, 4  # `reload` calls `hash`, then `load`
    fourth = [runtime.reload().ok for _ in range(4)]

    assert twice == [False, False, True, True]
    assert sorted(fourth) == [False, False, True, True]


def test_a_hang_leaves_the_last_good_in_force(source, inside, runtime):
    """A read that does not end is left alone, and read anew when it has ended."""
    source.hangs = True
    inside.set(content(1))
    wait_until(lambda: runtime.status()["state"] == "degraded", "the error")
    kept = applied(runtime)
    source.hangs = False

    assert kept == 0
    reaches(runtime, 1)


def test_half_a_document_is_refused(source, inside, runtime):
    """What ends in the middle is no configuration."""
    source.torn = 0.5
    inside.set(content(1))
    wait_until(lambda: runtime.rejected, "the refusal")
    kept = applied(runtime)
    source.torn = 1.0

    assert kept == 0
    reaches(runtime, 1)


def test_half_a_file_is_read_again(tmp_path, midflight_runtime):
    """Half a text that is valid by chance does not last."""
    path = tmp_path / "app.yaml"
    path.write_text("platform: 0\nlimits: {n: 1}\n")
    source = faulty(FileSource(path))
    runtime = midflight_runtime(source, watch=True, sweep=0.02)
    source.torn = 0.45  # the first line
    wait_until(lambda: "limits" not in runtime.snapshot.document.sections, "the half")
    source.torn = 1.0

    wait_until(lambda: "limits" in runtime.snapshot.document.sections, "the whole")


def test_a_stale_read_does_not_last(source, inside, runtime):
    """What `load` gives from a cache is left as soon as it gives the newest."""
    source.stale = True
    inside.set(content(1))
    looks = source.calls["load"]
    wait_until(lambda: source.calls["load"] > looks + 2, "looks")
    kept = applied(runtime)
    source.stale = False

    assert kept == 0
    reaches(runtime, 1)


def test_an_older_version_is_a_newer_generation(source, inside, runtime):
    """A store that lost its last writes is followed there and back."""
    inside.set(content(1))
    reaches(runtime, 1)
    generations = [runtime.snapshot.generation]
    for back, number in [(1, 0), (0, 1)]:
        source.back = back
        reaches(runtime, number)
        generations.append(runtime.snapshot.generation)

    assert generations == sorted(set(generations))


def test_lost_hints_cost_no_change(source, inside, runtime):
    """The sweep finds what no hint told."""
    source.hints = 0
    inside.set(content(1))

    reaches(runtime, 1)


def test_doubled_hints_change_nothing_twice(source, inside, runtime):
    """Each change is one generation, however many hints it gives."""
    source.hints = 5
    before = runtime.snapshot.generation
    for number in (1, 2, 3):
        inside.set(content(number))
        reaches(runtime, number)

    assert runtime.snapshot.generation == before + 3


def test_late_hints_are_as_good(inside, midflight_runtime):
    """A hint that comes long after its change is served all the same."""
    source = faulty(inside, late=True)
    runtime = midflight_runtime(source, watch=True, sweep=3600)
    inside.set(content(1))
    kept = applied(runtime)
    source.late = False

    assert kept == 0
    reaches(runtime, 1)


def test_hints_are_lost_doubled_and_late(source, inside):
    """As many come through as the fault says, and late ones when it ends."""
    hints, counts = [], []
    participant = Runtime(source).source(source)
    with participant.invoke("watch", notify=lambda: hints.append(1)):
        for number in (1, 0, 3):
            source.hints = number
            inside.set(content(number))
            counts.append(len(hints))
        source.late = True
        inside.set(content(4))
        counts.append(len(hints))
        source.late = False

    assert counts == [1, 1, 4, 4]
    assert len(hints) == 7


def test_writing_into_what_was_read_reaches_nobody(source, inside, runtime):
    """A snapshot is nobody's mapping."""
    source.mutates = True
    inside.set({"platform": 1, "limits": {"n": [1]}})
    reaches(runtime, 1)
    runtime.reload()
    sections = runtime.snapshot.document.sections

    assert "spoiled" not in sections
    assert sections["limits"] == {"n": (1,)}


def test_it_has_the_hooks_of_the_source_inside():
    """A source without `hash`, `watch` and `put` stays one."""

    class Plain:
        @hookimpl
        def load(self):
            return content(0)

    source = faulty(Plain())
    participant = Runtime(source).source(source)

    assert [h for h in ("hash", "load", "put", "watch") if participant.has(h)] == [
        "load"
    ]


def test_it_writes_through(source, inside):
    """`put` reaches the source inside, and fails like the rest."""
    runtime = Runtime(source)
    document, loaded = runtime.read()
    version = runtime.put(document, expected_version=loaded.version, text="# why\n{}")
    source.error = OSError("read only")
    with pytest.raises(OSError, match="read only"):
        runtime.put(document, expected_version=version)

    assert version == inside.version == 2
    assert [each.version for each in runtime.history()] == [2, 1]
    assert runtime.read_version(2)[1].text == "# why\n{}"


def test_a_fault_that_there_is_not_is_an_error(inside):
    """A misspelt fault is not silently none."""
    with pytest.raises(TypeError, match="no fault is called `lost`; there are back,"):
        faulty(inside, lost=True)
