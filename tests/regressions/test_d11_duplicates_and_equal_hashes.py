"""D11: duplicate module names collapsed; what could not be serialised hashed alike."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from midflight import Document
from midflight.errors import InvalidConfigurationError
from midflight_plugins.file import FileSource

VALUES = [
    "1", "1.0", "true", '"1"', "null", '""', "[]", "{}", "[1]", '["1"]', "{a: 1}",
    "{a: true}", "[[1]]", "-1", "0", "false", '"true"', '"null"',
]  # fmt: skip


def test_duplicate_names_are_refused_with_both_places(tmp_path: Path) -> None:
    """Neither of two modules of one name wins."""
    path = tmp_path / "app.yaml"
    path.write_text("modules:\n- {name: a, type: t}\n- {name: a, type: t}\n")

    with pytest.raises(InvalidConfigurationError, match=r":3:3: E_DUPMODULE.* at 2:3"):
        FileSource(path).load()


def test_every_value_has_its_own_hash(tmp_path: Path) -> None:
    """No two different values give one digest."""
    digests = []
    for at, value in enumerate(VALUES):
        path = tmp_path / f"{at}.yaml"
        path.write_text(f"modules:\n- {{name: a, type: t, config: {{v: {value}}}}}\n")
        document = FileSource(path).load().document
        assert isinstance(document, Document)
        digests.append((value, document.digest))

    for (one, first), (other, second) in itertools.combinations(digests, 2):
        assert first != second, (one, other)
