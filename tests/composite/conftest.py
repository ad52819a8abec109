"""Layers that do what a test says."""

from __future__ import annotations

import contextlib
import threading

import pytest

from midflight import Loaded, Runtime, hookimpl
from midflight.testing import FakeModule, FakeSource, wait_until


class Hanging:
    """A source whose hooks hang while it is told to; counts its threads."""

    name = "hanging"

    def __init__(self, raw):
        self.raw = raw
        self.free = threading.Event()
        self.free.set()
        self.inside = self.most = self.calls = 0

    def _wait(self):
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.calls += 1
        self.free.wait(20)
        self.inside -= 1

    @hookimpl
    def load(self):
        self._wait()
        return Loaded(self.raw, token=str(self.raw))

    @hookimpl
    def hash(self):
        self._wait()
        return str(self.raw)


@pytest.fixture
def hanging():
    """Return the class of sources that hang; all of them come back at the end."""
    made = []

    def make(raw):
        made.append(Hanging(raw))
        return made[-1]

    yield make
    for each in made:
        each.free.set()
    wait_until(lambda: not any(each.inside for each in made), "their return")


@pytest.fixture
def run():
    """Return a function that runs layers until the test ends."""
    with contextlib.ExitStack() as stack:

        def start(source, **options):
            options = {"watch": True, "sweep": 0.05, **options}
            modules = {"m": FakeModule}
            return stack.enter_context(Runtime(source, modules=modules, **options))

        yield start


@pytest.fixture
def three():
    """Return three fake sources that each set a key of their own, and one in common."""
    return [FakeSource(content(name, 0)) for name in ("a", "b", "c")]


def content(name, number):
    """Return what a layer says: which number it is at, and who is on top."""
    config = {name: number, "top": name}
    return {"modules": {"web": {"type": "m", "config": config}}}


@pytest.fixture(name="content")
def content_fixture():
    """Return what makes the content of a layer."""
    return content


def config_of(runtime):
    """Return what the module of a runtime runs on."""
    return dict(runtime.snapshot.document.modules["web"].config)


@pytest.fixture(name="config_of")
def config_of_fixture():
    """Return what tells the configuration in force."""
    return config_of
