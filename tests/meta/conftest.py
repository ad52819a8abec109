"""The source of the project, parsed once for every test about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest


@attrs.frozen(eq=False)
class Source:
    """One parsed file.

    Args:
        name: its path below the repository.
        text: its text.
        tree: its syntax tree.
    """

    name: str
    text: str
    tree: ast.Module

    @classmethod
    def read(cls, path: Path, root: Path) -> Source:
        """Parse the file at `path`."""
        text = path.read_text()
        return cls(path.relative_to(root).as_posix(), text, ast.parse(text))

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function and method."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@pytest.fixture(scope="session")
def source(root: Path) -> list[Source]:
    """Return every file of the distribution."""
    paths = [*root.glob("core/**/*.py"), *root.glob("plugins/**/*.py")]
    return [Source.read(path, root) for path in sorted(paths)]


@pytest.fixture(scope="session")
def core(source: list[Source]) -> list[Source]:
    """Return the files of the core, without what it ships for tests."""
    return [
        each
        for each in source
        if each.name.startswith("core/") and "/testing/" not in each.name
    ]
