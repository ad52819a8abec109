"""A source: a folder with one JSON file for each module, as in `conf.d`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from midflight import Fault, Loaded, Place, hookimpl
from midflight.errors import Code, InvalidConfigurationError


class FolderSource:
    """Reads `<folder>/<name>.json` as the module called `<name>`.

    It has no `watch`: the runtime's sweep finds changes.

    Args:
        path: the folder.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.name = f"folder:{path}"

    @classmethod
    def from_uri(cls, rest: str) -> FolderSource:
        """Make the source from what follows `folder:`."""
        return cls(rest)

    @hookimpl
    def hash(self) -> str:
        """Return a token for the names and the bytes of all files."""
        return _token(self._read())

    @hookimpl
    def load(self) -> Loaded:
        """Read every file once; report every file that is wrong, not the first."""
        modules: dict[str, Any] = {}
        faults: list[Fault] = []
        files = self._read()
        for name, data in files:
            try:
                modules[name] = json.loads(data)
            except ValueError as exc:
                file = str(self.path / f"{name}.json")
                place = Place(
                    file, getattr(exc, "lineno", None), getattr(exc, "colno", None)
                )
                faults.append(Fault(Code.E_SYNTAX, str(exc), ("modules", name), place))
        if faults:
            raise InvalidConfigurationError(faults)
        return Loaded({"modules": modules}, token=_token(files))

    def _read(self) -> list[tuple[str, bytes]]:
        if not self.path.is_dir():
            msg = f"{self.path} is not a folder"
            raise NotADirectoryError(msg)
        files = sorted(self.path.glob("*.json"))
        return [(file.stem, file.read_bytes()) for file in files]


def _token(files: list[tuple[str, bytes]]) -> str:
    token = hashlib.sha256()
    for name, data in files:
        token.update(f"{name} {len(data)} ".encode() + data)
    return token.hexdigest()
