"""D10: who laid a configuration over another wrote into the cache of the lower."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from midflight import Document, Runtime
from midflight_plugins.database import DatabaseSource

KEY = "default"
TEXT = "modules: [{name: m, type: fake, config: {v: {w: [1]}}}]\nplatform: {p: 1}\n"


class KeepsWhatItGave:
    """The broken variant: each read gives the same mapping."""

    def __init__(self):
        self.cached = {
            "modules": [{"name": "m", "type": "fake", "config": {"v": {"w": [1]}}}],
            "platform": {"p": 1},
        }

    def load(self):
        return self.cached


def overlay(document):
    """Lay a value over a configuration in place, as far as that is possible."""
    raw = document.as_mapping() if isinstance(document, Document) else document
    with contextlib.suppress(TypeError):  # it is frozen
        raw["platform"]["p"] = 2
    raw["modules"] = []


def assert_is_untouched(load):
    """A read after such an overlay gives what is stored."""
    before = digest(load())
    overlay(load())
    assert digest(load()) == before


def digest(document):
    """Return the digest of what was loaded."""
    is_frozen = isinstance(document, Document)
    return (document if is_frozen else Document.from_mapping(document)).digest


def test_an_overlay_does_not_reach_what_is_loaded_next(
    database_url, original, open_store
):
    """Each read is made from the row; nothing is shared with who got the last one."""
    open_store(database_url)
    original(database_url).put(KEY, TEXT)
    source = DatabaseSource(database_url)
    runtime = Runtime(source)

    assert_is_untouched(lambda: runtime.read()[1].document)
    source.close()


def test_what_was_loaded_cannot_be_written_into(database_url, original, open_store):
    """Sections, modules and everything below them are frozen."""
    open_store(database_url)
    original(database_url).put(KEY, TEXT)
    source = DatabaseSource(database_url)
    document = Runtime(source).read()[0]
    source.close()

    places: list[tuple[Any, Any]] = [
        (document.sections["platform"], "p"),
        (document.modules["m"].config, "v"),
        (document.modules["m"].config["v"], "w"),
        (document.modules["m"].config["v"]["w"], 0),
        (document.modules, "m"),
    ]
    for value, key in places:
        with pytest.raises(TypeError):
            value[key] = 2


def test_the_oracle_sees_a_shared_cache():
    """A source that keeps what it gave would not go unseen."""
    with pytest.raises(AssertionError):
        assert_is_untouched(KeepsWhatItGave().load)
