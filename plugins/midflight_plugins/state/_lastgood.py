"""The last good configurations: sealed bytes of what was applied, newest first."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from midflight import Loaded, Place
from midflight.errors import InvalidConfigurationError
from midflight_plugins.state._disk import Disk, put, read
from midflight_plugins.state._seal import seal, unseal
from midflight_plugins.state._texts import decode

_log = logging.getLogger("midflight")
KEPT = 10  # generations, each a file of a few bytes for each value
MAGIC = b"MFGOOD1\n"
_HASH = hashlib.sha256().digest_size
_NAME = re.compile(r"last-good\.(\d{12})")


@attrs.frozen
class Mark:
    """What is known of a configuration that was applied.

    Args:
        digest: that of the document in force.
        raw: the digest of the document as it was read.
        generation: which one it was in the process that applied it.
        source: the source's name.
        version: the source's own mark.
        at: when it was applied, in seconds since 1970.
        author: who made that version, if known.
    """

    digest: str
    raw: str
    generation: int
    source: str
    version: str | int | None
    at: float
    author: str = ""


@attrs.frozen(eq=False)
class Kept:
    """One configuration that was read back.

    Args:
        mark: what is known of it.
        payload: the document's bytes.
        path: the file.
    """

    mark: Mark
    payload: bytes
    path: Path

    def loaded(self) -> Loaded:
        """Return the document as a source would.

        Raises:
            ValueError: if the bytes are not what was written.
        """
        try:
            document = decode(self.payload)
        except (KeyError, TypeError, InvalidConfigurationError) as exc:
            raise ValueError(str(exc)) from exc
        place = Place(str(self.path))
        version, author = self.mark.version, self.mark.author
        return Loaded(document, version, lambda _: place, author=author)


class LastGood:
    """The files of a state directory that hold configurations.

    Args:
        folder: the directory.
        disk: makes the file operations.
        key: what they are sealed with.
    """

    def __init__(self, folder: Path, disk: Disk, key: bytes) -> None:
        self._folder, self._disk, self._key = folder, disk, key
        self._said: set[str] = set()
        self._newest: Kept | bool | None = False  # not looked for yet

    @property
    def newest(self) -> Mark | None:
        """What is known of the newest configuration that is whole."""
        if isinstance(self._newest, bool):
            self._newest = next(self.whole(), None)
        return self._newest.mark if self._newest else None

    def whole(self) -> Iterator[Kept]:
        """Yield what is whole, newest first; say once of each file that is not."""
        for path in reversed(self._paths()):
            kept = self._read(path)
            if isinstance(kept, Kept):
                yield kept
            elif path.name not in self._said:
                self._said.add(path.name)
                _log.warning("E_STATE: %s is ignored: %s", path, kept)

    def of(self, digest: str) -> Loaded | None:
        """Return the newest that was in force with a digest, if it is kept."""
        for kept in self.whole():
            if kept.mark.digest == digest:
                try:
                    return kept.loaded()
                except ValueError as exc:
                    _log.warning("E_STATE: %s is ignored: %s", kept.path, exc)
        return None

    def keep(self, mark: Mark, payload: bytes) -> None:
        """Keep one more configuration, and let go of the oldest.

        One that differs from the newest only in what a plugin has put in takes its
        place, so that a secret that rotates often does not push out the older ones.

        Raises:
            OSError: if it cannot be written; what was kept stays.
        """
        before = self.newest
        paths = self._paths()
        number = int(_number(paths[-1])) + 1 if paths else 1
        path = self._folder / f"last-good.{number:012d}"
        put(self._disk, path, self._written(path, mark, payload))
        replaced = before is not None and before.raw == mark.raw
        kept = paths[:-1] if replaced else paths
        self._newest = Kept(mark, b"", path)
        for each in set(paths) - set(kept[1 - KEPT :]):
            self._disk.unlink(each)

    def _paths(self) -> list[Path]:
        found = [p for p in self._folder.iterdir() if p.name[:9] == "last-good"]
        return sorted(p for p in found if _number(p))

    def _written(self, path: Path, mark: Mark, payload: bytes) -> bytes:
        head = attrs.asdict(mark) | {"sha256": hashlib.sha256(payload).hexdigest()}
        plain = json.dumps(head).encode() + b"\n" + payload
        sealed = seal(self._key, plain, MAGIC + path.name.encode())
        return MAGIC + hashlib.sha256(sealed).digest() + sealed

    def _read(self, path: Path) -> Kept | str:
        """Return what a file holds, or why it counts for nothing."""
        try:
            data = read(path) or b""
        except OSError as exc:
            return str(exc)
        head, rest = data[: len(MAGIC)], data[len(MAGIC) :]
        if head != MAGIC:
            return "it is not of this kind, or of another version"
        sealed = rest[_HASH:]
        if hashlib.sha256(sealed).digest() != rest[:_HASH]:
            return "it is damaged or not whole"
        plain = unseal(self._key, sealed, MAGIC + path.name.encode())
        if plain is None:
            return "it was sealed with another key, or renamed"
        text, _, payload = plain.partition(b"\n")
        found: dict[str, Any] = json.loads(text)
        if found.pop("sha256") != hashlib.sha256(payload).hexdigest():
            return "its payload is not the one that was sealed"
        return Kept(Mark(**found), payload, path)


def _number(path: Path) -> str:
    found = _NAME.fullmatch(path.name)
    return found[1] if found else ""
