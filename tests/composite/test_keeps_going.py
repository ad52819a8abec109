"""What becomes of the whole when one layer is down, wrong, or never comes back."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from midflight import Loaded, Runtime, hookimpl
from midflight.errors import Code, InvalidConfigurationError, SourceUnavailableError
from midflight.testing import FakeSource, wait_until


def layer(source, name, **options):
    """Return a layer of that name."""
    return {"source": source, "name": name, **options}


def optional(source, name="b", timeout=5.0):
    """Return a layer that the rest can do without."""
    return layer(source, name, optional=True, timeout=timeout)


def rows(runtime):
    """Return the status of each layer by name."""
    return {row["name"]: row for row in runtime.status()["sources"][1:]}


def test_a_required_layer_that_is_down_keeps_all_as_it_is(run, three, config_of):
    """The running configuration stays, and the status names the layer."""
    a, b, c = three
    runtime = run([layer(a, "a"), layer(b, "b"), layer(c, "c")])
    before = runtime.snapshot
    b.fail(OSError("cut off"))
    c.set({"modules": {"web": {"type": "m", "config": {"top": "new"}}}})
    outcome = runtime.reload()

    assert outcome.reason == "source_unavailable"
    assert runtime.snapshot is before
    assert runtime.status()["state"] == "degraded"
    error = runtime.status()["sources"][0]["error"]
    assert "layer `b` is down" in error
    assert "cut off" in error
    b.restore()
    wait_until(lambda: config_of(runtime)["top"] == "new", "the change")
    assert runtime.status()["state"] == "healthy"


def test_an_optional_layer_that_is_down_keeps_its_last_good(
    run, three, content, config_of, caplog
):
    """Its values stay, the other layers go on, and the log says it once each way."""
    a, b, c = three
    caplog.set_level(logging.INFO, "midflight.composite")
    runtime = run([layer(a, "a"), optional(b), layer(c, "c")])
    b.fail(OSError("cut off"))
    wait_until(lambda: runtime.status()["state"] == "degraded", "the status")
    c.set(content("c", 1))
    wait_until(lambda: config_of(runtime)["c"] == 1, "the change")

    assert config_of(runtime) == {"a": 0, "b": 0, "c": 1, "top": "c"}
    assert "cut off" in rows(runtime)["b"]["error"]
    assert rows(runtime)["b"]["since"] > 0
    b.set(content("b", 1))
    wait_until(lambda: config_of(runtime)["b"] == 1, "the layer")
    wait_until(lambda: runtime.status()["state"] == "healthy", "the status")
    ours = [each for each in caplog.records if each.name == "midflight.composite"]
    said = [record.getMessage() for record in ours]
    assert len(said) == 2
    assert said[0].startswith("layer `b` is down, what it gave before stays")
    assert said[1] == "layer `b` is back"


def test_one_of_three_down_is_no_flap_in_a_thousand_polls(three):
    """The merged document stays the same object, poll after poll."""
    a, b, c = three
    runtime = Runtime([layer(a, "a"), optional(b), layer(c, "c")])
    before = runtime.read()[0]
    b.fail(OSError("cut off"))
    polls = [runtime.read() for _ in range(1000)]

    assert {id(document) for document, _ in polls} == {id(before)}
    assert len({loaded.token for _, loaded in polls}) == 1
    assert all("cut off" in loaded.layers[1].error for _, loaded in polls)


def test_sweeps_over_a_layer_that_is_down_tell_nobody(run, three):
    """Observers hear that it is down once, and no more."""

    class Ear:
        def __init__(self):
            self.heard = []

        @hookimpl
        def on_outcome(self, outcome):
            self.heard.append(outcome)

    ear, (a, b, c) = Ear(), three
    layers = [layer(a, "a"), optional(b), layer(c, "c")]
    runtime = run(layers, plugins=[ear], sweep=0.005)
    b.fail(OSError("cut off"))
    wait_until(lambda: rows(runtime)["b"]["error"], "the status")
    looks = b.hashes
    wait_until(lambda: b.hashes > looks + 50, "fifty more sweeps")

    assert [each.name for each in ear.heard] == ["applied", "unchanged"]
    assert runtime.snapshot.generation == 1


def test_an_optional_layer_that_never_gave_anything_is_left_out(run, three, config_of):
    """The start does not wait for it, and it comes in as soon as it is there."""
    a, b, c = three
    b.fail(OSError("cut off"))
    runtime = run([layer(a, "a"), optional(b), layer(c, "c")])

    assert config_of(runtime) == {"a": 0, "c": 0, "top": "c"}
    assert runtime.status()["state"] == "degraded"
    b.hints = 0  # nobody says that it is back
    b.restore()
    wait_until(lambda: config_of(runtime).get("b") == 0, "the layer")


def test_a_required_layer_that_never_gave_anything_keeps_from_starting(three):
    """There is nothing to start on, and the error names the layer."""
    a, b, _ = three
    b.fail(OSError("cut off"))
    with pytest.raises(SourceUnavailableError, match=r"layer `b` is down: .*cut off"):
        Runtime([layer(a, "a"), layer(b, "b")]).start()


@pytest.mark.parametrize("is_optional", [True, False])
@pytest.mark.parametrize(
    "fault",
    [
        OSError("x"),
        RuntimeError("x"),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        BaseException("x"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_whatever_a_layer_raises_stops_nothing_else(run, three, fault, is_optional):
    """Neither an exit nor an interrupt gets out of a layer."""
    a, b, c = three
    runtime = run([layer(a, "a"), layer(b, "b", optional=is_optional), layer(c, "c")])
    before = runtime.snapshot
    b.fail(fault)
    wait_until(lambda: runtime.status()["state"] == "degraded", "the status")
    own, whole = rows(runtime)["b"]["error"], runtime.status()["sources"][0]["error"]
    assert bool(own) == is_optional
    assert ("layer `b` is down" in (whole or "")) != is_optional
    b.restore()
    wait_until(lambda: runtime.status()["state"] == "healthy", "the recovery")

    assert runtime.snapshot.document is before.document
    assert runtime.snapshot.generation == before.generation


@pytest.mark.parametrize("wrong", [5, None, "text", [("modules", [])]])
def test_a_layer_that_returns_another_type_is_down(wrong):
    """What is no document is no content either."""

    class Odd:
        @hookimpl
        def load(self):
            return wrong

    fine = FakeSource({"modules": []})
    with pytest.raises(SourceUnavailableError, match=r"`load` returned .*, not Loaded"):
        Runtime([fine, layer(Odd(), "odd")]).read()
    _, loaded = Runtime([fine, optional(Odd())]).read()

    assert "not Loaded" in loaded.layers[1].error


def test_a_layer_whose_token_is_none_is_down():
    """A token is a string or nothing."""

    class Odd(FakeSource):
        @hookimpl
        def hash(self):
            return 5

    _, loaded = Runtime([FakeSource({"modules": []}), optional(Odd())]).read()

    assert "`hash` returned int" in loaded.layers[1].error


def test_a_layer_may_keep_and_change_what_it_returned(run, config_of):
    """A layer's own copy is its own: what was read stays as it was."""

    class Keeps:
        def __init__(self):
            config = {"list": [1], "v": 1}
            self.kept: Any = {"modules": {"web": {"type": "m", "config": config}}}

        @hookimpl
        def load(self):
            return self.kept

    source = Keeps()
    runtime = run([source, FakeSource({"app": 1})], watch=False)
    source.kept["modules"]["web"]["config"]["list"].append(2)
    source.kept["modules"]["web"]["config"]["v"] = 2

    assert config_of(runtime) == {"list": (1,), "v": 1}
    runtime.reload()
    assert config_of(runtime) == {"list": (1, 2), "v": 2}


def test_an_older_version_of_a_layer_is_a_change_like_any_other(run, config_of):
    """A restored layer is followed: its mark is shown, and generations go on."""

    class Versions(FakeSource):
        version = 7

        @hookimpl
        def hash(self):
            return str(self.version)

        @hookimpl
        def load(self):
            raw = {"modules": {"web": {"type": "m", "config": {"v": self.version}}}}
            return Loaded(raw, self.version, token=str(self.version))

    source = Versions()
    runtime = run([FakeSource({}), layer(source, "db")])
    assert runtime.status()["sources"][0]["version"] == "fake@0, db@7"
    source.version = 3
    wait_until(lambda: config_of(runtime) == {"v": 3}, "the older version")

    assert runtime.snapshot.generation == 2
    assert rows(runtime)["db"]["version"] == 3


def test_a_hung_optional_layer_stops_no_other(run, three, hanging, content, config_of):
    """It is down until its call has come back, and has one thread at the most."""
    a, _, c = three
    slow = hanging(content("b", 0))
    layers = [layer(a, "a"), optional(slow, timeout=0.05), layer(c, "c")]
    runtime = run(layers)
    assert config_of(runtime)["b"] == 0
    slow.free.clear()
    wait_until(lambda: rows(runtime)["b"]["error"], "the status")
    calls = slow.calls
    for number in range(1, 6):
        c.set(content("c", number))
        wait_until(lambda: config_of(runtime)["c"] == number, "the change")  # noqa: B023  # called within the pass

    assert config_of(runtime)["b"] == 0
    assert (slow.calls, slow.inside, slow.most) == (calls, 1, 1)
    assert "did not return within 0.05 s" in rows(runtime)["b"]["error"]
    slow.raw = content("b", 1)
    slow.free.set()
    wait_until(lambda: config_of(runtime)["b"] == 1, "the layer")
    assert slow.most == 1


def test_a_layer_that_hangs_at_the_start_comes_in_when_it_is_done(
    run, three, hanging, content, config_of
):
    """Its first answer counts, however late: the runtime is told of it."""
    slow = hanging(content("b", 0))
    slow.free.clear()
    layers = [layer(three[0], "a"), optional(slow, timeout=0.05)]
    runtime = run(layers, sweep=60.0)
    assert "b" not in config_of(runtime)
    slow.free.set()
    wait_until(lambda: config_of(runtime).get("b") == 0, "the layer")

    assert runtime.status()["state"] == "healthy"


def test_a_hint_while_a_layer_hangs_is_not_lost(run, three, content, config_of):
    """What a call brings late is not taken if the layer has changed since it began."""

    class Slow(FakeSource):
        free = threading.Event()
        reading = threading.Event()

        @hookimpl
        def load(self):
            loaded = super().load()
            self.reading.set()
            self.free.wait(20)
            return loaded

    slow = Slow(content("b", 0))
    slow.free.set()
    layers = [layer(three[0], "a"), optional(slow, timeout=0.05)]
    runtime = run(layers, sweep=60.0)
    slow.free.clear()
    slow.reading.clear()
    slow.set(content("b", 1))
    assert slow.reading.wait(20)
    wait_until(lambda: rows(runtime)["b"]["error"], "the status")
    slow.set(content("b", 2))
    slow.free.set()

    wait_until(lambda: config_of(runtime)["b"] == 2, "the newer content")


def test_faults_of_all_layers_come_at_once_and_name_them(three):
    """Each fault of content says in which layer it is; the change is refused."""
    a, b, c = three
    runtime = Runtime([layer(a, "a"), optional(b), layer(c, "c")])
    runtime.read()
    a.set({"modules": {"web": {"type": 5}}})
    b.set({"modules": {"!": {"type": "m"}}})
    with pytest.raises(InvalidConfigurationError) as caught:
        runtime.read()
    found = [(f.code, f.place and f.place.layer) for f in caught.value.faults]

    assert found == [(Code.E_TYPE, "a"), (Code.E_NAME, "b")]


def test_invalid_content_of_an_optional_layer_is_refused_too(run, three, config_of):
    """Only a layer that cannot be read is done without; wrong content is a fault."""
    a, b, c = three
    runtime = run([layer(a, "a"), optional(b), layer(c, "c")])
    b.set({"modules": 5})
    wait_until(lambda: runtime.status()["state"] == "rejected", "the refusal")

    assert config_of(runtime)["b"] == 0
    assert "(b)" in runtime.status()["rejected"]["faults"][0]
    b.set({})
    wait_until(lambda: "b" not in config_of(runtime), "the next content")
    assert runtime.status()["state"] == "healthy"


def test_no_thread_stays_behind(run, three):
    """An optional layer has a thread only while it is called."""
    a, b, c = three
    before = set(threading.enumerate())
    runtime = run([optional(a, "a"), optional(b), optional(c, "c")])
    for _ in range(20):
        runtime.reload()
    runtime.stop()
    wait_until(lambda: set(threading.enumerate()) <= before, "the end of threads")
