from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from midflight import Document, Loaded
from midflight.errors import InvalidConfigurationError
from midflight_plugins.file import FileSource

Write = Callable[..., Path]


@pytest.fixture(scope="class")  # of a function; Hypothesis wants none by that name
def shortcut() -> Iterator[None]:
    """Let edits be read by the shortcut, also under `nox -s paths`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MIDFLIGHT_FULL_PARSE", raising=False)
        yield


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files by relative path; return the first."""

    def do(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode() if isinstance(content, str) else content
            path.write_bytes(data)
        return tmp_path / next(iter(files))

    return do


def document(source: FileSource) -> Document:
    """Load a document."""
    loaded = source.load()
    assert isinstance(loaded, Loaded)
    assert isinstance(loaded.document, Document)
    return loaded.document


def faults(source: FileSource) -> Any:
    """Load, and return the faults that it must give."""
    with pytest.raises(InvalidConfigurationError) as caught:
        source.load()
    return caught.value.faults


@pytest.fixture
def load() -> Callable[[FileSource], Document]:
    """Load a source."""
    return document


@pytest.fixture
def faults_of() -> Callable[[FileSource], Any]:
    """Load a bad source."""
    return faults


class Hints:
    """Counts notifications; waits for a condition that they bring about."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.count = 0
        self.action: Callable[[], object] = lambda: None

    def __call__(self) -> None:
        self.action()
        with self._condition:
            self.count += 1
            self._condition.notify_all()

    def wait(self, reached: Callable[[], bool], seconds: float = 5.0) -> bool:
        deadline = time.monotonic() + seconds
        with self._condition:
            while not reached():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._condition.wait(min(left, 0.05))
        return True

    def after(self, count: int) -> bool:
        return self.wait(lambda: self.count > count)


@pytest.fixture
def hints() -> Iterator[Hints]:
    """Count hints, and see that no thread is left in the end."""
    before = {thread.ident for thread in threading.enumerate()}
    yield Hints()
    left = [thread for thread in threading.enumerate() if thread.ident not in before]
    for thread in left:
        thread.join(5 if thread.name == "midflight-sample" else 0)  # of an edit
    assert not [thread.name for thread in left if thread.is_alive()]
