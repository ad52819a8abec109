from __future__ import annotations

import attrs

from midflight import Document, ModuleConfig, Runtime, Secret
from midflight.testing import FakeSource
from midflight_plugins.secrets import transform


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
