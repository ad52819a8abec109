"""D20: changes inside `imports` were not noticed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from midflight import Document, hookimpl
from midflight_plugins.file import FileSource


class RootOnly(FileSource):
    """The original's rule: only the root file is watched and hashed."""

    @hookimpl
    def hash(self) -> str:
        return Path(self.path).read_text()

    @hookimpl
    def watch(self, notify):
        alone = Path(self.path).with_name("alone.yaml")
        alone.write_text("a: 1\n")
        return FileSource(alone).watch(notify)


def assert_follows_imports(
    kind: type[FileSource], tmp_path: Path, patience: float = 5.0
) -> None:
    """The oracle: a change below is hinted, hashed and loaded."""
    path = tmp_path / "app.yaml"
    deep = tmp_path / "x" / "y"
    deep.mkdir(parents=True)
    path.write_text("imports: [x/b.yaml]\n")
    (tmp_path / "x" / "b.yaml").write_text("imports: [y/c.yaml]\n")
    (deep / "c.yaml").write_text("c: 1\n")
    source = kind(path)
    hinted = threading.Event()
    with source.watch(hinted.set):
        source.load()
        token = source.hash()
        (deep / "c.yaml").write_text("c: 2\n")
        was_hinted = hinted.wait(patience)
    assert was_hinted or source.hash() != token, "neither hinted nor hashed"
    assert was_hinted

    assert source.hash() != token
    document = source.load().document
    assert isinstance(document, Document)
    assert document.sections == {"c": 2}


def test_a_change_in_an_imported_file_is_hinted_hashed_and_loaded(
    tmp_path: Path,
) -> None:
    """Files at every level, in other directories too, are watched and hashed."""
    assert_follows_imports(FileSource, tmp_path)


def test_the_oracle_sees_a_source_that_knows_its_root_file_alone(
    tmp_path: Path,
) -> None:
    """The original's rule fails it, in hint and in token."""
    with pytest.raises(AssertionError, match="neither hinted nor hashed"):
        assert_follows_imports(RootOnly, tmp_path, patience=0.2)


def test_a_file_imported_later_is_watched_too(tmp_path: Path) -> None:
    """After each load the watch covers the files of that load."""
    path = tmp_path / "app.yaml"
    path.write_text("a: 1\n")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "b.yaml").write_text("b: 1\n")
    source = FileSource(path)
    hinted = threading.Event()
    with source.watch(hinted.set):
        source.load()
        path.write_text("imports: [new/b.yaml]\n")
        assert hinted.wait(5)
        source.load()
        hinted.clear()
        (tmp_path / "new" / "b.yaml").write_text("b: 2\n")

        assert hinted.wait(5)


def test_a_watch_covers_imports_before_the_first_load(tmp_path: Path) -> None:
    """Between start and first load no change of an imported file is missed."""
    path = tmp_path / "app.yaml"
    path.write_text("imports: [x/b.yaml]\n")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "b.yaml").write_text("b: 1\n")
    hinted = threading.Event()
    with FileSource(path).watch(hinted.set):
        (tmp_path / "x" / "b.yaml").write_text("b: 2\n")

        assert hinted.wait(5)
