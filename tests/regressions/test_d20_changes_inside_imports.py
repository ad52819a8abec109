"""D20: changes inside `imports` were not noticed."""

from __future__ import annotations

import threading
from pathlib import Path

from midflight import Document
from midflight_plugins.file import FileSource


def test_a_change_in_an_imported_file_is_hinted_hashed_and_loaded(
    tmp_path: Path,
) -> None:
    """Files at every level, in other directories too, are watched and hashed."""
    path = tmp_path / "app.yaml"
    deep = tmp_path / "x" / "y"
    deep.mkdir(parents=True)
    path.write_text("imports: [x/b.yaml]\n")
    (tmp_path / "x" / "b.yaml").write_text("imports: [y/c.yaml]\n")
    (deep / "c.yaml").write_text("c: 1\n")
    source = FileSource(path)
    hinted = threading.Event()
    with source.watch(hinted.set):
        source.load()
        token = source.hash()
        (deep / "c.yaml").write_text("c: 2\n")
        assert hinted.wait(5)

    assert source.hash() != token
    document = source.load().document
    assert isinstance(document, Document)
    assert document.sections == {"c": 2}


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
