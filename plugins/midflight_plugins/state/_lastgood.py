"""The last good configurations: sealed bytes of what was applied, newest first.

A large one is kept as what differs from an older one that is kept whole: a patch, which
is small where little has changed since. Each is made of a whole one, never of another
patch, and goes before it. A whole one is written again when as much was written since,
or a hundred patches. Where all that can be read is made of one, another stays too.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from midflight import Document, Loaded, Place
from midflight.errors import InvalidConfigurationError
from midflight_plugins.state._disk import Disk, put, read
from midflight_plugins.state._seal import seal, unseal
from midflight_plugins.state._texts import Encoder, decode

_log = logging.getLogger("midflight")
KEPT = 10  # generations, each a file
_SMALL = 1 << 16  # bytes up to which each is whole
_PATCHES = 100  # on one that is whole
MAGIC = b"MFGOOD1\n"
_HASH = hashlib.sha256().digest_size
_NAME = re.compile(r"last-good\.\d{12}(\.on\.\d{12})?")


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
        payload: the bytes of a document that is kept whole.
        path: the file.
        patch: what makes this one of that document, if it is another.
    """

    mark: Mark
    payload: bytes
    path: Path
    patch: bytes | None = None

    def loaded(self) -> Loaded:
        """Return the document as a source would.

        Raises:
            ValueError: if the bytes are not what was written.
        """
        try:
            document = decode(self.payload, self.patch)
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
        encoder: writes what is kept; only `keep` needs it.
    """

    def __init__(
        self, folder: Path, disk: Disk, key: bytes, encoder: Encoder | None = None
    ) -> None:
        self._folder, self._disk, self._key = folder, disk, key
        self._encoder = encoder or Encoder()
        self._said: set[str] = set()
        self._newest: Mark | bool | None = False  # not looked for yet
        # The file of the document that was last encoded whole, once it is there, what
        # its payload is known by, and how many bytes others may take until the next.
        self._base: Path | None = None
        self._base_hash, self._room = "", 0

    @property
    def newest(self) -> Mark | None:
        """What is known of the newest configuration that can be read."""
        if isinstance(self._newest, bool):
            self._newest = next((kept.mark for kept in self.sound()), None)
        return self._newest

    def sound(self) -> Iterator[Kept]:
        """Yield what can be read, newest first; say once of each file that cannot."""
        bases: dict[Path, Kept | str] = {}
        for path in reversed(self._paths()):
            kept = self._read(path, bases)
            if isinstance(kept, Kept):
                yield kept
            elif path.name not in self._said:
                self._said.add(path.name)
                _log.warning("E_STATE: %s is ignored: %s", path, kept)

    def of(self, digest: str) -> Loaded | None:
        """Return the newest that was in force with a digest, if it is kept."""
        for kept in self.sound():
            if kept.mark.digest == digest:
                try:
                    return kept.loaded()
                except ValueError as exc:
                    _log.warning("E_STATE: %s is ignored: %s", kept.path, exc)
        return None

    def keep(self, mark: Mark, document: Document) -> None:
        """Keep one more configuration as it was read, and let go of the oldest.

        One that differs from the newest only in what a plugin has put in takes its
        place, so that a secret that rotates often does not push out the older ones.

        Raises:
            OSError: if it cannot be written; what was kept stays.
        """
        alike, paths = self._alike(mark), self._paths()
        number = _number(paths[-1]) + 1 if paths else 1
        path = self._folder / f"last-good.{number:012d}"
        patch = b""
        if self._base in paths and number - _number(self._base) <= _PATCHES:
            patch = self._encoder.patch(document)
        if self._base and 0 < len(patch) <= self._room:
            path = path.with_name(f"{path.name}.on.{_number(self._base):012d}")
            put(self._disk, path, self._written(path, mark, patch, self._base_hash))
            self._room -= len(patch)
        else:
            self._base = None  # until it is there, whatever happens
            payload = self._encoder.encode(document)
            put(self._disk, path, self._written(path, mark, payload))
            self._base = path if len(payload) > _SMALL else None
            self._base_hash, self._room = _hash(payload), len(payload)
            if self._base:  # it is time to see what can be read of the others
                collections.deque(self.sound(), maxlen=0)
        self._newest = mark
        kept = {*[each for each in paths if each not in alike][1 - KEPT :], path}
        bases = set(map(_base, kept))
        others = [each for each in paths if each not in kept | bases]
        whole = [each for each in others if each == _base(each) and each not in alike]
        there = [each for each in bases & {*paths, path} if self._is_sound(each)]
        spare = [each for each in whole if self._is_sound(each)][-1:]
        for each in reversed(others):  # none before what is made of it
            if len(there) > 1 or each not in spare:
                self._disk.unlink(each)

    def _is_sound(self, path: Path) -> bool:
        return path.name not in self._said  # as far as it was looked at

    def _alike(self, mark: Mark) -> set[Path]:
        """Return the newest files, if they differ only in what a plugin has put in."""
        if self.newest is None or self.newest.raw != mark.raw:
            return set()
        found = itertools.takewhile(lambda it: it.mark.raw == mark.raw, self.sound())
        return {kept.path for kept in found}

    def _paths(self) -> list[Path]:
        return sorted(p for p in self._folder.iterdir() if _NAME.fullmatch(p.name))

    def _written(
        self, path: Path, mark: Mark, payload: bytes, base_hash: str = ""
    ) -> bytes:
        head = attrs.asdict(mark) | {"sha256": _hash(payload)}
        head |= {"base": base_hash} if base_hash else {}
        plain = json.dumps(head).encode() + b"\n" + payload
        sealed = seal(self._key, plain, MAGIC + path.name.encode())
        return MAGIC + hashlib.sha256(sealed).digest() + sealed

    def _read(self, path: Path, bases: dict[Path, Kept | str]) -> Kept | str:
        """Return what a file holds, or why it counts for nothing.

        Args:
            path: the file.
            bases: what was read already of those that others are made of.
        """
        found = self._unsealed(path)
        if isinstance(found, str):
            return found
        head, payload = found
        base, base_hash = _base(path), head.pop("base", "")
        mark = Mark(**head)
        if base == path:
            return Kept(mark, payload, path)
        if base not in bases:
            bases[base] = self._read(base, bases)
        if isinstance(whole := bases[base], str):
            return f"it is made of {base.name}: {whole}"
        if _hash(whole.payload) != base_hash:
            return f"it is made of another {base.name}"
        return Kept(mark, whole.payload, path, payload)

    def _unsealed(self, path: Path) -> tuple[dict[str, Any], bytes] | str:
        """Return head and payload of a file, or why there are none."""
        try:
            data = read(path)
        except OSError as exc:
            return str(exc)
        if data is None:
            return "it is not there"
        start, rest = data[: len(MAGIC)], data[len(MAGIC) :]
        if start != MAGIC:
            return "it is not of this kind, or of another version"
        sealed = rest[_HASH:]
        if hashlib.sha256(sealed).digest() != rest[:_HASH]:
            return "it is damaged or not whole"
        plain = unseal(self._key, sealed, MAGIC + path.name.encode())
        if plain is None:
            return "it was sealed with another key, or renamed"
        text, _, payload = plain.partition(b"\n")
        head: dict[str, Any] = json.loads(text)
        if head.pop("sha256") != _hash(payload):
            return "its payload is not the one that was sealed"
        return head, payload


def _hash(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _number(path: Path) -> int:
    return int(path.name.split(".")[1])


def _base(path: Path) -> Path:
    """Return the file of the whole document that one is made of; maybe itself."""
    _, _, base = path.name.partition(".on.")
    return path.with_name(f"last-good.{base}") if base else path
