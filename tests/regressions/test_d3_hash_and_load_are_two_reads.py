"""D3: hash and load were two reads, so that old content went under the new hash."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from midflight import Document, Loaded
from midflight_plugins.file import FileSource


def test_document_and_places_come_from_one_read(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """Every file is opened once in a load, whatever is asked of the result later."""
    path = tmp_path / "app.yaml"
    path.write_text("imports: [b.yaml, c.yaml]\na: 1\n")
    (tmp_path / "b.yaml").write_text("imports: [c.yaml]\n")
    (tmp_path / "c.yaml").write_text("c: 1\n")
    opened: list[str] = []
    real = os.open

    def counted(name: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(Path(str(name)).name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", counted)
    loaded = FileSource(path).load()
    assert loaded.positions is not None
    assert loaded.positions(("c",)) is not None
    assert isinstance(loaded.document, Document)
    _ = loaded.document.digest

    assert sorted(name for name in opened if name.endswith(".yaml")) == [
        "app.yaml",
        "b.yaml",
        "c.yaml",
    ]


def test_a_change_between_hash_and_load_is_not_lost(tmp_path: Path) -> None:
    """A token taken before such a change differs from the next one: one more load."""
    path = tmp_path / "app.yaml"
    path.write_text("a: 1\n")
    source = FileSource(path)
    token = source.hash()
    path.write_text("a: 2\n")
    loaded: Loaded = source.load()

    assert isinstance(loaded.document, Document)
    assert loaded.document.sections == {"a": 2}
    assert source.hash() != token
