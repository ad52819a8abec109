from __future__ import annotations

import functools
import itertools
import json
import os
import threading
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from midflight import Document, PluginRegistry, Runtime, hookimpl
from midflight.errors import InvalidConfigurationError
from midflight.testing import FakeSource, FakeSystem, wait_until

STEPS = int(os.environ.get("MIDFLIGHT_MODEL_STEPS", "10000"))
DEADLINE = 30.0
NAMES = ["a", "b", "c", "d"]
REGISTRY = PluginRegistry()


class World:
    """What the modules of one run share: time, hangs, and what is still open."""

    def __init__(self):
        self.system = FakeSystem()
        self.hanging = 0
        self.hung = None
        self.release = threading.Event()
        self.living = set()
        self.prepared = set()
        self.abandoned = set()

    def hang(self):
        """Overrun the deadline in no time, then stay away until released."""
        self.hung = threading.current_thread()
        self.hanging += 1
        self.system.advance(DEADLINE + 1)
        self.release.wait(20)
        self.hanging -= 1


class Plain:
    """Has no `reconfigure`; fails where its configuration says so."""

    world: World

    def __init__(self, name):
        self.name = name
        self.config: Any = None
        self.platform, self.peers = None, {}

    def misbehave(self, config, at):
        match config.get("fail"), at:
            case ("prepare", "prepare") | ("commit", "commit"):
                raise ValueError(at)
            case ("exit", "commit"):
                raise SystemExit(3)
            case ("hang", "commit"):
                self.world.abandoned.add(self)
                self.world.hang()
            case ("stall", "prepare"):
                self.world.hang()

    def take(self, config, prepared, document):
        self.world.prepared.discard(prepared)
        self.config = config
        self.platform = document.sections.get("platform")
        self.misbehave(config, "commit")
        self.config = config

    @hookimpl
    def prepare(self, config):
        self.misbehave(config, "prepare")
        prepared = (self, object())
        if config.get("fail") != "stall":
            self.world.prepared.add(prepared)
        return prepared

    @hookimpl
    def start(self, config, prepared, document, runtime):
        self.world.living.add(self)
        needs = document.modules[self.name].depends_on
        self.peers = {name: runtime.module(name) for name in needs}
        self.take(config, prepared, document)

    @hookimpl
    def probe(self):
        if self.config.get("fail") == "probe":
            msg = "not well"
            raise RuntimeError(msg)
        return dict(self.config)

    @hookimpl
    def discard(self, prepared):
        self.world.prepared.remove(prepared)

    @hookimpl
    def stop(self):
        self.world.living.discard(self)


class Live(Plain):
    """Takes a new configuration in place."""

    @hookimpl
    def reconfigure(self, config, prepared, document):
        self.take(config, prepared, document)


class Reader(Live):
    """Reads a section beside its own configuration."""

    sections = ("platform",)


class Overlap(Plain):
    """Lets its successor start before it is stopped."""

    overlap = True


TYPES = {"plain": Plain, "live": Live, "reader": Reader, "overlap": Overlap}
BROKEN = {
    "toplevel": lambda raw: [raw],
    "nameless": lambda raw: {**raw, "modules": [*raw["modules"], {"type": "live"}]},
    "twice": lambda raw: {**raw, "modules": [*raw["modules"], *raw["modules"], 1]},
    "infinite": lambda raw: {**raw, "platform": float("inf")},
    "untyped": lambda raw: {
        **raw,
        "modules": [*raw["modules"], {"name": "z", "type": "nonesuch"}],
    },
}
FAILURES = ["prepare", "commit", "exit", "probe", "hang", "stall"]

names = st.sampled_from(NAMES)
rates = st.integers(0, 3)
types = st.sampled_from(sorted(TYPES))
needs_of = st.sets(names, max_size=2)
hows = st.sampled_from(["hint", "main", "doubled", "lost", "reload"])


def digest_of(raw):
    """Return a content's digest, or `None` if it is no document."""
    try:
        return Document.from_mapping(raw).digest
    except InvalidConfigurationError:
        return None


class Model:
    """What must be in force, wanted and refused, in a few plain values."""

    def __init__(self):
        self.entries, self.sections, self.broken = {}, {}, None
        self.good = self.raw()
        self.desired = digest_of(self.good)
        self.rejected: tuple = ()
        self.down = self.seen_down = False
        self.bad = 0

    def raw(self):
        """Return the content of the source."""
        modules = [
            {
                "name": name,
                "type": entry["type"],
                "config": {k: entry[k] for k in ("rate", "fail") if entry.get(k)},
                "dependsOn": sorted(entry["needs"]),
            }
            for name, entry in self.entries.items()
        ]
        raw = {"modules": modules, **self.sections}
        return BROKEN[self.broken](raw) if self.broken else raw

    def mend(self, after):
        """Make the content good again if that many writes in a row were not."""
        self.broken = None
        if self.bad < after:
            return
        for name, entry in self.entries.items():
            known = {each for each in self.entries if each < name}
            entry.update(fail=None, needs=entry["needs"] & known)

    def orderable(self):
        """Tell whether each module can start after those it needs."""
        left = {name: set(entry["needs"]) for name, entry in self.entries.items()}
        while free := [name for name, needs in left.items() if not needs & set(left)]:
            if any(left[name] - set(self.entries) for name in free):
                return False
            for name in free:
                del left[name]
        return not left

    def valid(self):
        """Tell whether the content can be put in force."""
        fails = any(entry.get("fail") for entry in self.entries.values())
        return not (self.broken or fails) and self.orderable()

    def observe(self):
        """Take in what the source gives now."""
        self.seen_down = self.down
        if self.down:
            return
        raw = self.raw()
        self.desired = digest_of(raw)
        if self.valid():
            self.good, self.rejected = raw, ()
        else:
            self.rejected = (self.desired,)

    @property
    def state(self):
        """Return the state that the status must show."""
        if self.seen_down:
            return "degraded"
        return "rejected" if self.rejected else "healthy"


class Written(FakeSource):
    """A source whose content is a text, read as a file or a stored document is.

    Args:
        form: `yaml`, with one entry of `modules:` below the other, or `json`.
    """

    numbers = itertools.count()

    def __init__(self, raw, form):
        super().__init__(raw)
        self.form, self.path = form, f"flight-{next(self.numbers)}"

    @hookimpl
    def load(self, runtime):
        found = super().load()
        text = (as_yaml if self.form == "yaml" else as_json)(found.document)
        return attrs.evolve(
            runtime.parse(text.encode(), self.form, self.path),
            version=found.version,
            token=found.token,
        )


def as_json(raw):
    """Write a content as JSON, one value in a line."""
    return json.dumps(raw, indent=1)


def as_yaml(raw):
    """Write a content as YAML, in blocks where modules are in their list."""
    if not isinstance(raw, dict) or not all(
        isinstance(m, dict) for m in raw["modules"]
    ):
        return json.dumps(raw).replace("Infinity", ".inf")
    lines = ["modules:" if raw["modules"] else "modules: []"]
    for entry in raw["modules"]:
        pairs = [f"{key}: {json.dumps(value)}" for key, value in entry.items()]
        lines.append("- " + "\n  ".join(pairs))
    rest = {key: value for key, value in raw.items() if key != "modules"}
    lines += [f"{key}: {json.dumps(value)}" for key, value in rest.items()]
    return "\n".join(lines).replace("Infinity", ".inf") + "\n"


class Flight(RuleBasedStateMachine):
    """Drives a real runtime and its model side by side."""

    steps = 0

    def __init__(self):
        super().__init__()
        self.world = World()
        self.modules = {
            name: type(name, (cls,), {"world": self.world})
            for name, cls in TYPES.items()
        }
        self.source: Any = None
        self.model = Model()
        self.generation = 1
        self.runtime: Any = None

    @initialize(
        strategy=st.sampled_from(["surgical", "partial", "full"]),
        form=st.sampled_from(["yaml", "json", None]),
    )
    def begin(self, strategy, form):
        empty: dict[str, Any] = {"modules": []}
        self.source = Written(empty, form) if form else FakeSource(empty)
        self.runtime = Runtime(
            self.source,
            modules=self.modules,
            strategy=strategy,
            watch=True,
            deadline=DEADLINE,
            registry=REGISTRY,
            system=self.world.system,
        )
        self.runtime.start()

    def teardown(self):
        if self.runtime is not None:
            self.world.release.set()
            self.runtime.stop()
            assert self.world.living <= self.world.abandoned

    # -- how a change is found ---------------------------------------------------

    def idle(self):
        """Tell whether the runtime has nothing to do before time goes on."""
        reloader = self.runtime._reloader
        with reloader.changed:
            due, _ = reloader._next_due()
            free = not (reloader._busy or reloader._tickets)
            return free and due > self.world.system.monotonic()

    def watches_anew(self, watch):
        """Tell whether another watch has taken the place of one."""
        return self.runtime._reloader._watch not in (None, watch)

    def answers(self):
        """Tell whether no module in force is still away."""
        running = self.runtime.snapshot.running.values()
        return not any(module.participant.stuck for module in running)

    def settle(self, worker=None, watch=None):
        """Let everything that is due happen, then let go of what hangs."""
        if worker is not None:
            wait_until(lambda: self.world.hanging or not worker.is_alive(), "a hint")
            if self.world.hung is worker:
                replaced = functools.partial(self.watches_anew, watch)
                wait_until(replaced, "another watch in place of the one that hangs")
        for _ in range(2):
            self.world.system.advance(0.3)
            wait_until(self.idle, "an idle runtime")
            self.world.release.set()
            if worker is not None:
                worker.join(5)
            wait_until(lambda: not self.world.hanging, "the end of a hang")
            wait_until(self.answers, "the return of what hung")

    def change(self, act, how):
        """Change the source, and let the runtime find it one way or another."""
        Flight.steps += 1
        self.world.release.clear()
        self.source.hints = {"lost": 0, "reload": 0, "doubled": 2}.get(how, 1)
        if how in {"hint", "doubled"}:
            watch = self.runtime._reloader._watch
            worker = threading.Thread(target=act, daemon=True)
            worker.start()
            self.model.observe()
            self.settle(worker, watch)
            return
        act()
        if how != "lost":
            self.model.observe()
        if how == "reload":
            self.runtime.reload()
        if how != "lost":
            self.settle()

    def write(self, how):
        """Put the model's content into the source."""
        self.model.down = False
        self.model.bad = 0 if self.model.valid() else self.model.bad + 1
        raw = self.model.raw()
        self.change(lambda: self.source.set(raw), how)

    # -- rules -------------------------------------------------------------------

    @rule(name=names, kind=types, rate=rates, needs=needs_of, how=hows)
    def add(self, name, kind, rate, needs, how):
        self.model.mend(after=2)
        known = set(self.model.entries) - {name}
        self.model.entries.setdefault(
            name, {"type": kind, "rate": rate, "needs": needs & known}
        )
        self.write(how)

    @precondition(lambda self: self.model.entries)
    @rule(data=st.data(), rate=rates, how=hows)
    def edit(self, data, rate, how):
        self.model.mend(after=2)
        entry = self.model.entries[data.draw(st.sampled_from([*self.model.entries]))]
        entry.update(rate=rate, fail=None)
        self.write(how)

    @precondition(lambda self: self.model.entries)
    @rule(data=st.data(), kind=types, how=hows)
    def retype(self, data, kind, how):
        self.model.mend(after=2)
        name = data.draw(st.sampled_from([*self.model.entries]))
        self.model.entries[name]["type"] = kind
        self.write(how)

    @precondition(lambda self: self.model.entries)
    @rule(data=st.data(), needs=needs_of, how=hows)
    def rewire(self, data, needs, how):
        self.model.mend(after=2)
        name = data.draw(st.sampled_from([*self.model.entries]))
        self.model.entries[name]["needs"] = needs
        self.write(how)

    @rule(name=names, how=hows)
    def remove(self, name, how):
        self.model.mend(after=2)
        self.model.entries.pop(name, None)
        for entry in self.model.entries.values():
            entry["needs"] = entry["needs"] - {name}
        self.write(how)

    @rule(section=st.sampled_from(["platform", "other"]), value=rates, how=hows)
    def edit_section(self, section, value, how):
        self.model.mend(after=2)
        self.model.sections[section] = value
        self.write(how)

    @precondition(lambda self: self.model.entries)
    @rule(data=st.data(), failure=st.sampled_from(FAILURES), how=hows)
    def fail(self, data, failure, how):
        self.model.mend(after=2)
        name = data.draw(st.sampled_from([*self.model.entries]))
        self.model.entries[name].update(fail=failure, rate=1)
        self.write(how)

    @rule(kind=st.sampled_from(sorted(BROKEN)), how=hows)
    def break_content(self, kind, how):
        self.model.mend(after=2)
        self.model.broken = kind
        self.write(how)

    @rule(how=hows)
    def fix(self, how):
        self.model.mend(after=0)
        self.write(how)

    @rule(down=st.booleans(), how=hows)
    def lose_source(self, down, how):
        self.model.down = down
        lost = functools.partial(self.source.fail, OSError("gone"))
        self.change(lost if down else self.source.restore, how)

    @rule(how=st.sampled_from(["hint", "doubled", "main", "reload", "sweep"]))
    def look(self, how):
        if how != "sweep":
            self.change(lambda: self.source.hint(self.source.hints), how)
            return
        self.model.observe()
        self.change(lambda: self.world.system.advance(31), "lost")
        self.settle()

    # -- what must agree ---------------------------------------------------------

    @invariant()
    def agrees(self):
        """Compare everything that can be seen with the model."""
        if self.runtime is None:
            return
        model, snapshot = self.model, self.runtime.snapshot
        status = self.runtime.status()

        assert snapshot.document == Document.from_mapping(model.good)
        assert status["applied"]["digest"] == snapshot.digest
        assert status["desired"] == model.desired
        refused = status["rejected"]
        assert (refused and (refused["digest"],)) == (model.rejected or None)
        assert status["state"] == model.state
        assert snapshot.generation >= self.generation
        self.generation = snapshot.generation

    @invariant()
    def modules_agree(self):
        """Compare every live object with the snapshot."""
        if self.runtime is None:
            return
        document = self.runtime.snapshot.document
        objects: dict[str, Any] = {
            name: self.runtime.module(name) for name in document.modules
        }
        kinds = {name: type(each) for name, each in objects.items()}
        for name, entry in document.modules.items():
            module: Any = objects[name]
            assert kinds[name] is self.modules[entry.type]
            assert self.runtime.probe(name).values == dict(entry.config)
            if "platform" in getattr(module, "sections", ()):
                assert module.platform == document.sections.get("platform")
            assert module.peers == {each: objects[each] for each in entry.depends_on}
        assert self.world.living - self.world.abandoned == set(objects.values())
        left = {each[0] for each in self.world.prepared} - self.world.abandoned
        assert left == set()


@pytest.mark.timeout(600)
def test_agrees_with_the_model():
    """Whatever is done to it, the runtime is where a plain model says it must be."""
    Flight.steps = 0
    per_run = 50
    run_state_machine_as_test(
        Flight,
        settings=settings(
            max_examples=STEPS // per_run + 50,
            stateful_step_count=per_run,
            derandomize=True,
            print_blob=True,
        ),
    )

    assert Flight.steps >= STEPS
