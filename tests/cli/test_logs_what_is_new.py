"""The log says once why content is refused, and that other content is as well."""

from __future__ import annotations

import logging

from midflight import Runtime, hookimpl
from midflight_plugins.memory import MemorySource

STILL = "still rejected, invalid: other content, same reason"


class Greeter:
    """A module that says nothing."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self):
        pass


def content(**more):
    """Return content that is refused for its module, with other values beside it."""
    return {"modules": {"a": {"type": "nobody-has-it"}}, **more}


def test_a_misspelt_type_is_told_once_with_all_that_are_known(caplog):
    """No second line says less of the same."""
    source = MemorySource({"modules": {"a": {"type": "greeter"}}})
    with Runtime(source, modules={"greeter": Greeter}) as runtime:
        source.set({"modules": {"a": {"type": "greter"}}})
        runtime.reload()

        assert "did you mean `greeter`?" in caplog.text
        assert all(each.levelno != logging.WARNING for each in caplog.records)


def test_the_same_content_again_is_not_told(caplog):
    """A reload, a retry or a sweep of what was refused has nothing new to say."""
    source = MemorySource({})
    with Runtime(source) as runtime:
        source.set(content())
        for _ in range(3):
            runtime.reload()
        lines = [each for each in caplog.records if each.levelno == logging.ERROR]

        assert len(lines) == 1


def test_other_content_is_told_each_time_in_one_line(caplog):
    """Whoever edits sees that the edit was read, and need not read the fault again."""
    source = MemorySource({})
    with Runtime(source) as runtime:
        for number in range(3):
            source.set(content(limits={"most": number}))
            runtime.reload()

        assert caplog.text.count("E_MODULETYPE") == 1
        assert caplog.text.count(STILL) == 2


def test_another_reason_is_told_in_full(caplog):
    """Only what was said already is cut short."""
    source = MemorySource({})
    with Runtime(source) as runtime:
        source.set(content())
        runtime.reload()
        source.set({"modules": {"b": {"type": "nobody-has-it"}}})
        runtime.reload()

        assert STILL not in caplog.text
        assert "modules.b.type" in caplog.text
