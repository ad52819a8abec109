"""A state directory, a disk that fails when told so, and runtimes that use them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Any

import pytest

from midflight import PluginRegistry, Runtime
from midflight.testing import FakeModule, FakeSource
from midflight_plugins.state import StatePlugin
from midflight_plugins.state._disk import Disk


class FailingDisk(Disk):
    """A disk whose operations raise while `error` is set."""

    def __init__(self) -> None:
        self.error = 0
        self.only = ""  # the operation that fails; all of them if empty
        self.made: list[str] = []

    def _made(self, operation: str) -> None:
        self.made.append(operation)
        if self.error and self.only in {"", operation}:
            raise OSError(self.error, os.strerror(self.error))

    def open(self, path: Path, flags: int) -> int:
        self._made("open")
        return super().open(path, flags)

    def write(self, handle: int, data: bytes, at: int = 0) -> None:
        if self.error == errno.ENOSPC and self.only in {"", "write"}:
            super().write(handle, data[: len(data) // 2], at)  # what still fits
        self._made("write")
        super().write(handle, data, at)

    def sync(self, handle: int) -> None:
        self._made("sync")
        super().sync(handle)

    def rename(self, old: Path, new: Path) -> None:
        self._made("rename")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._made("unlink")
        super().unlink(path)

    def step(self, name: str) -> None:
        self._made("step")


def config(number: int, **sections: Any) -> dict[str, Any]:
    """Return a configuration with one module that holds a number."""
    modules = [{"name": "web", "type": "fake", "config": {"n": number}}]
    return {"modules": modules, **sections}


def number_of(runtime: Runtime) -> int:
    """Return the number that is in force."""
    return runtime.snapshot.document.modules["web"].config["n"]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Return where the state directory will be; it is not there yet."""
    return tmp_path / "state"


@pytest.fixture
def source() -> FakeSource:
    """Return a source with a good configuration."""
    return FakeSource(config(1))


@pytest.fixture
def disk() -> FailingDisk:
    """Return a disk that works until told otherwise."""
    return FailingDisk()


@pytest.fixture
def run(
    state_dir: Path, source: FakeSource, disk: FailingDisk
) -> Iterator[Callable[..., Runtime]]:
    """Return a function that makes a runtime on the state directory."""
    # The one of the distribution, with the disk of the test in its place.
    groups = ("sources", "modules", "strategies", "plugins")
    points = EntryPoints(
        each
        for group in groups
        for each in entry_points(group=f"midflight.{group}")
        if (group, each.name) != ("plugins", "state")
    )
    made: list[Runtime] = []

    def run(**options: Any) -> Runtime:
        given: dict[str, Any] = {
            "state_dir": state_dir,
            "modules": {"fake": FakeModule},
        } | options
        plugins = [StatePlugin(disk), *given.pop("plugins", ())]
        registry = PluginRegistry(points)
        followed = given.pop("source", source)
        made.append(Runtime(followed, plugins=plugins, registry=registry, **given))
        return made[-1]

    yield run
    for each in made:
        each.stop()


@pytest.fixture
def change(source: FakeSource) -> Callable[[Runtime, int], Any]:
    """Return a function that applies another number."""

    def change(runtime: Runtime, number: int) -> Any:
        source.set(config(number))
        return runtime.reload()

    return change
