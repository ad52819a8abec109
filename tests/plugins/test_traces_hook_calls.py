from __future__ import annotations

import json
import re
import signal

import pytest

from midflight import Runtime, hookimpl
from midflight_plugins.trace import Trace

ON = {"MIDFLIGHT_TRACE": "1"}
CODE = """\
from midflight import hookimpl


class Lamp:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def prepare(self, config):
        return object()

    @hookimpl
    def start(self, config):
        if config["colour"] == "bad-canary-value":
            raise ValueError(config["colour"])

    @hookimpl
    def stop(self):
        pass
"""
LINE = re.compile(
    r"^trace +(?:[\d.]+ ms)?  (?P<whose>.+): (?P<hook>\w+) -> (?P<what>.+)$"
)


@pytest.fixture
def lamp(site):
    """Install a module type; return what runs it until a text was written."""
    site.install("acme-lamp", {"modules:lamp": "Lamp"}, CODE)

    def run(colour, until, env=ON, *words):
        entry = {"name": "desk", "type": "lamp", "config": {"colour": colour}}
        (site.here / "app.json").write_text(json.dumps({"modules": [entry]}))
        lines: list[str] = []
        words = ("run", "app.json", "--no-state", *words)
        with site.start(*words, env=env) as process:
            while until not in (line := process.stderr.readline()):
                assert line, lines
                lines.append(line)
            process.send_signal(signal.SIGTERM)
            lines.append(process.communicate()[1])
        return "".join(lines)

    return run


def calls(text):
    """Return whose hook, which one, and how it ended, of each line."""
    found = filter(None, map(LINE.match, text.splitlines()))
    return [(each["whose"], each["hook"], each["what"]) for each in found]


def test_every_call_is_told(lamp):
    """A line has participant, hook, milliseconds and the type of the result."""
    text = lamp("red", "ready")
    told = calls(text)

    assert ("source `file:app.json`", "load", "Loaded") in told
    assert ("module `desk` (lamp)", "prepare", "object") in told
    assert ("module `desk` (lamp)", "start", "None") in told
    assert ("module `desk` (lamp)", "stop", "None") in told
    assert ("plugins", "transform", "Document") in told
    assert ("observers", "on_outcome", "applied, started") in told
    assert ("observers", "lifespan", "ends") in told
    assert re.search(
        r"^trace +[\d.]+ ms  module `desk` \(lamp\): start", text, re.MULTILINE
    )
    assert "red" not in "".join("".join(each) for each in told)


def test_an_error_is_told_without_its_words(lamp):
    """What a hook raises may quote a value: its type is told, and its code."""
    text = lamp("bad-canary-value", "not started")
    told = calls(text)

    assert ("module `desk` (lamp)", "start", "raised ValueError") in told
    traced = [line for line in text.splitlines() if line.startswith("trace")]
    assert not [line for line in traced if "canary" in line]


@pytest.mark.parametrize(
    ("env", "words"),
    [({}, ()), ({"MIDFLIGHT_TRACE": "0"}, ()), (ON, ("-p", "no:trace"))],
)
def test_nothing_is_told_unasked(lamp, env, words):
    """It is off by default, and can be blocked as any plugin."""
    assert calls(lamp("red", "ready", env, *words)) == []


class Source:
    """A source without a hook that anybody wraps."""

    @hookimpl
    def load(self):
        return {}


def test_it_costs_nothing_while_it_is_off(monkeypatch):
    """Without the variable it wraps no call: they are made as if it were not there."""
    monkeypatch.delenv("MIDFLIGHT_TRACE", raising=False)
    assert vars(Trace()) == {}
    assert Runtime(Source()).hook.load.get_hookimpls() == []

    monkeypatch.setenv("MIDFLIGHT_TRACE", "1")
    assert len(Runtime(Source()).hook.load.get_hookimpls()) == 1


def test_every_hook_can_be_traced(monkeypatch):
    """It has one of each hook there is, so that none is missed."""
    monkeypatch.setenv("MIDFLIGHT_TRACE", "1")
    runtime = Runtime(Source(), plugins=["no:trace"])
    every = {name for name in vars(runtime.hook) if not name.startswith("_")}

    assert vars(Trace()).keys() == every
