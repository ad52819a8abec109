from __future__ import annotations

import itertools

import pytest

from midflight.testing import FakeSource, SourceContract
from midflight_plugins.composite import CompositeSource
from midflight_plugins.file import FileSource
from midflight_plugins.memory import MemorySource


class TestCompositeOfFiles(SourceContract):
    """Two files, the upper of which changes."""

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "prod.yaml"
        path.write_text("platform: {n: 0}\n")
        return path

    @pytest.fixture
    def source(self, tmp_path, path):
        base = tmp_path / "base.yaml"
        base.write_text("platform: {m: 0}\n")
        return CompositeSource([FileSource(base), FileSource(path)])

    @pytest.fixture
    def change(self, path):
        numbers = itertools.count(1)

        def act():
            new = path.with_suffix(".new")
            new.write_text(f"platform: {{n: {next(numbers)}}}\n")
            new.replace(path)

        return act

    @pytest.fixture
    def invalidate(self, path):
        return lambda: path.write_text("modules: 5\n")

    @pytest.fixture
    def remove(self, path):
        return path.unlink


class TestCompositeOfMemory(SourceContract):
    """The lower layer changes, beside an optional one, and inside of another."""

    @pytest.fixture
    def lower(self):
        return MemorySource({"app": {"n": 0}})

    @pytest.fixture
    def source(self, lower):
        upper = {"source": FakeSource({"app": {"m": 0}}), "optional": True}
        return CompositeSource([[lower, MemorySource({})], upper])

    @pytest.fixture
    def change(self, lower):
        numbers = itertools.count(1)
        return lambda: lower.set({"app": {"n": next(numbers)}})

    @pytest.fixture
    def invalidate(self, lower):
        return lambda: lower.set({"modules": 5})


class TestCompositeOfOptional(TestCompositeOfMemory):
    """Each layer is optional."""

    @pytest.fixture
    def source(self, lower):
        return CompositeSource(
            [
                {"source": lower, "optional": True},
                {"source": MemorySource({}), "optional": True},
            ]
        )


class TestCompositeWithAnUntoldToken(TestCompositeOfMemory):
    """One layer tells neither `hash` nor a token."""

    @pytest.fixture
    def source(self, lower):
        from midflight import hookimpl

        class Plain:
            @hookimpl
            def load(self):
                return {"other": 1}

        return CompositeSource([lower, Plain()])
