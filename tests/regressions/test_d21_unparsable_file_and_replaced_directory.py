"""D21: an unparsable file was not looked at again; a replaced directory went blind."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from midflight import Document
from midflight.errors import InvalidConfigurationError
from midflight_plugins.file import FileSource


def test_an_unparsable_file_is_looked_at_again_without_an_event(tmp_path: Path) -> None:
    """The token shows a repair, in the file or in an import, with no hint at all."""
    path = tmp_path / "app.yaml"
    path.write_text("imports: [b.yaml]\n")
    (tmp_path / "b.yaml").write_text("b: [1\n")
    source = FileSource(path)
    with pytest.raises(InvalidConfigurationError):
        source.load()
    token = source.hash()
    assert source.hash() == token
    (tmp_path / "b.yaml").write_text("b: [1]\n")

    assert source.hash() != token
    document = source.load().document
    assert isinstance(document, Document)
    assert document.sections == {"b": (1,)}


def test_a_replaced_directory_is_still_watched(tmp_path: Path) -> None:
    """After the directory was replaced by rename, an edit in the new one is seen."""
    old, new = tmp_path / "conf", tmp_path / "next"
    for directory in (old, new):
        directory.mkdir()
        (directory / "app.yaml").write_text("a: 1\n")
    source = FileSource(old / "app.yaml")
    hinted = threading.Event()
    with source.watch(hinted.set):
        source.load()
        old.rename(tmp_path / "gone")
        new.rename(old)
        assert hinted.wait(5)
        source.hash()
        hinted.clear()
        (old / "app.yaml").write_text("a: 2\n")

        assert hinted.wait(5)
