from __future__ import annotations

import itertools

import pytest

from midflight.testing import (
    FakeModule,
    FakeSource,
    ModuleContract,
    SourceContract,
    StrategyContract,
)
from midflight_plugins.env import EnvSource
from midflight_plugins.file import FileSource
from midflight_plugins.memory import MemorySource
from midflight_plugins.strategies import Full, Hold, Partial, Surgical


def document(number):
    """Return a small configuration that its number tells from others."""
    return {"modules": [{"name": "web", "type": "m", "config": {"rate": number}}]}


class TestFakeSource(SourceContract):
    @pytest.fixture
    def source(self):
        return FakeSource(document(0))

    @pytest.fixture
    def change(self, source):
        numbers = itertools.count(1)
        return lambda: source.set(document(next(numbers)))

    @pytest.fixture
    def remove(self, source):
        return lambda: source.fail(FileNotFoundError("gone"))


class TestMemorySource(SourceContract):
    @pytest.fixture
    def source(self):
        return MemorySource(document(0))

    @pytest.fixture
    def change(self, source):
        numbers = itertools.count(1)
        return lambda: source.set(document(next(numbers)))

    @pytest.fixture
    def invalidate(self, source):
        return lambda: source.set({"modules": 5})


class TestMemorySourceOfText(TestMemorySource):
    @pytest.fixture
    def source(self):
        return MemorySource.from_uri('{"modules": []}')

    @pytest.fixture
    def invalidate(self, source):
        return lambda: source.set('{"modules": [,]}')


class TestEnvSource(SourceContract):
    @pytest.fixture
    def environ(self):
        return {"APP__MODULES__web__TYPE": "m", "APP__PLATFORM__TOKEN": "hunter2"}

    @pytest.fixture
    def source(self, environ):
        return EnvSource("APP", environ=environ)

    @pytest.fixture
    def change(self, environ):
        numbers = itertools.count(1)

        def act():
            environ.pop("APP__BAD", None)
            environ["APP__MODULES__web__CONFIG__RATE"] = str(next(numbers))

        return act

    @pytest.fixture
    def invalidate(self, environ):
        return lambda: environ.update(APP__BAD="{")

    @pytest.fixture
    def secrets(self):
        return ("hunter2",)


class TestFileSource(SourceContract):
    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "app.yaml"
        path.write_text("platform: 0\n")
        return path

    @pytest.fixture
    def source(self, path):
        return FileSource(path)

    @pytest.fixture
    def change(self, path):
        numbers = itertools.count(1)

        def act():
            new = path.with_suffix(".new")
            new.write_text(f"platform: {next(numbers)}\n")
            new.replace(path)

        return act

    @pytest.fixture
    def invalidate(self, path):
        return lambda: path.write_text("modules: 5\n")

    @pytest.fixture
    def remove(self, path):
        return path.unlink

    @pytest.fixture
    def supports_put(self):
        """Its `put` takes a token for a version; see tests/overrides."""
        return False


class TestSurgical(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return Surgical()


class TestPartial(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return Partial()


class TestFull(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return Full()


class TestHold(StrategyContract):
    @pytest.fixture
    def strategy(self):
        return Hold()


class TestFakeModule(ModuleContract):
    @pytest.fixture
    def module(self):
        return FakeModule

    @pytest.fixture
    def config(self):
        return {"rate": 1}

    @pytest.fixture
    def other_config(self):
        return {"rate": 2}
