from __future__ import annotations

from random import Random
from typing import Any

import attrs
import pytest

from midflight import Document, ModuleConfig, Runtime, Secret
from midflight.errors import InvalidConfigurationError
from midflight.testing import FakeSource
from midflight_plugins.secrets import add_resolver, transform


def document_of(count, config):
    """Return a document of many modules."""
    entries = [{"name": f"m{i}", "type": "t", "config": config} for i in range(count)]
    return Document.from_mapping({"modules": entries})


def transformed(runtime, document):
    """Run a document through the plugin alone."""
    steps = transform(document=document, runtime=runtime)
    next(steps)
    try:
        steps.send(document)
    except StopIteration as end:
        return end.value
    raise AssertionError


def changed(document, name, config):
    """Return the document with one module's configuration changed."""
    new = ModuleConfig(name, "t", Document.from_mapping({"c": config}).sections["c"])
    kind = type(document.modules)
    return attrs.evolve(document, modules=kind({**document.modules, name: new}))


def test_modules_without_anything_to_do_are_the_same_objects():
    """A thousand of them give the very document."""
    runtime = Runtime(FakeSource({"modules": []}))
    document = document_of(1000, {"a": ["b", {"c": 1}]})

    assert transformed(runtime, document) is document


def test_an_unchanged_module_gives_the_object_of_the_last_time(folder):
    """One of many changes: the others keep what became of them."""
    (folder / "pw").write_text("one")
    runtime = Runtime(FakeSource({"modules": []}))
    old = document_of(10, {"a": f"${{file:{folder}/pw}}", "password": "b"})
    before = transformed(runtime, old)
    after = transformed(runtime, changed(old, "m3", {"a": "new"}))
    same = [name for name in old.modules if after.modules[name] is before.modules[name]]

    assert same == [name for name in old.modules if name != "m3"]
    assert after.modules["m3"].config == {"a": "new"}
    assert before.modules["m3"].config["a"] == Secret("one")


def test_a_rotation_renews_just_what_refers_to_it(folder):
    """A file that changed touches its modules, and no other."""
    for name in ("a", "b"):
        (folder / name).write_text("one")
    runtime = Runtime(FakeSource({"modules": []}))
    old = document_of(2, {"x": f"${{file:{folder}/a}}"})
    old = changed(old, "m1", {"x": f"${{file:{folder}/b}}"})
    before = transformed(runtime, old)
    (folder / "b").write_text("two")
    after = transformed(runtime, old)

    assert after.modules["m0"] is before.modules["m0"]
    assert after.modules["m1"].config["x"] == Secret("two")


def edited(entries, random):
    """Return the entries of `modules:` after a few random edits."""
    entries = [dict(each) for each in entries]
    for _ in range(random.randint(1, 3)):
        name = f"m{random.randrange(8)}"
        others = [each for each in entries if each["name"] != name]
        values = "plain", "${A}", "${B:-b}", "x ${A} y", "${MISSING}", "$${A}", "${"
        key = random.choice(("a", "password"))
        entry = {"name": name, "type": "t", "config": {key: random.choice(values)}}
        if random.random() < 0.7:  # else it is removed
            others.insert(random.randint(0, len(others)), entry)
        entries = others
    return entries


@pytest.mark.parametrize("seed", range(4))
def test_step_by_step_it_becomes_what_it_becomes_at_once(seed, monkeypatch):
    """Whatever was edited, rotated or at fault in between."""
    random = Random(seed)
    runtime = Runtime(FakeSource({"modules": []}))
    document = Document.from_mapping({})
    entries: list[dict[str, Any]] = []
    for _ in range(25):
        monkeypatch.setenv("A", random.choice("12"))
        entries = edited(entries, random)
        new = Document.from_mapping({"modules": entries, "note": random.choice("ab")})
        kept = document.modules
        shared = {
            name: kept[name] if kept.get(name) == module else module
            for name, module in new.modules.items()
        }
        kind: Any = type(new.modules)
        document = attrs.evolve(new, modules=kind(shared))
        fresh = Runtime(FakeSource({"modules": []}))

        assert outcome_of(runtime, document) == outcome_of(fresh, document)


def outcome_of(runtime, document):
    """Return what becomes of a document, in order, or what is wrong with it."""
    try:
        made = transformed(runtime, document)
    except InvalidConfigurationError as exc:
        return [str(fault) for fault in exc.faults]
    return [
        *made.sections.items(),
        *((m.name, m.config) for m in made.modules.values()),
    ]


def test_a_reference_that_was_taken_out_is_not_asked_for_again():
    """Its resolver may hang: to take it out is the remedy."""
    asked = []
    runtime = Runtime(FakeSource({"modules": []}))

    def resolve(rest, runtime):
        asked.append(rest)
        return rest

    add_resolver(runtime, "vault", resolve)
    old = document_of(2, {"a": "${vault:kept}"})
    old = changed(old, "m1", {"a": "${vault:gone}"})
    transformed(runtime, old)
    asked.clear()
    new = changed(old, "m1", {"a": "plain"})
    transformed(runtime, new)

    assert asked == ["kept"]
