"""Large files as an earlier process parsed them, sealed in the state directory.

There is one cache for each file, by its name; it holds the bytes that were parsed. If
the file has changed since then, that is an edit: only its edited modules are read.
Places are not kept: they are looked up in the text when an error needs one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import attrs

import midflight
from midflight.errors import InvalidConfigurationError
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._packed import pack, unpack
from midflight_plugins.file._seal import find_key, make_key, seal, unseal
from midflight_plugins.file._unit import Unit, suffix

_FORMAT = 2
_LEAST = 32 * 1024  # bytes of a file: a smaller one is parsed as soon as it is unsealed
_MOST = 64 * 1024 * 1024  # bytes of a cache: aliases may stand for much
_EVERY = 60.0  # s between two caches of one file, each of which may take megabytes
_KEPT = 256  # files
# JSON is left out: it is read by C code as fast as its cache would be.
_FORMS = frozenset({".yaml", ".yml", ".toml"})
_UNUSABLE = (OSError, ValueError, KeyError, TypeError, ImportError, OverflowError)

_log = logging.getLogger("midflight.file")


class Cache:
    """What is known of large files from earlier processes.

    Nothing that is wrong with it is an error: the files are parsed instead.

    Args:
        state_dir: the state directory, or `None` for no cache.
        clock: seconds, to pause between two writes.
    """

    def __init__(
        self, state_dir: Path | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.state_dir, self._clock = state_dir, clock
        self._written: dict[str, float] = {}

    def read(self, name: str, size: int, limits: Limits, form: str = "") -> Unit | None:
        """Return a file as it was when it was last kept, or `None`.

        Args:
            name: the file, as the user would write it.
            size: bytes it has now.
            limits: the bounds it is parsed under.
            form: the suffix that says how it is read, if its name has none.
        """
        kind = form or suffix(name)
        if self.state_dir is None or not _is_worth_it(size, kind):
            return None
        try:
            sealed = _path(self.state_dir, name, kind).read_bytes()
            key = find_key(self.state_dir)
            packed = key and unseal(key, sealed, _about(name, limits, kind))
            return unpack(packed, name, limits, form) if packed else None
        except FileNotFoundError:
            return None
        except (*_UNUSABLE, InvalidConfigurationError) as exc:
            _log.debug("%s: its parsed form cannot be used: %r", name, exc)
            return None

    def write(self, unit: Unit) -> None:
        """Keep a file that was parsed in full, if it is large and without a fault."""
        kind = unit.form or suffix(unit.name)
        whole = unit.document is not None and not unit.faults
        if (
            self.state_dir is None
            or not whole
            or not _is_worth_it(len(unit.data), kind)
        ):
            return
        path, now = _path(self.state_dir, unit.name, kind), self._clock()
        if now - self._written.get(path.name, -_EVERY) < _EVERY:
            return
        self._written[path.name] = now
        try:
            packed = pack(unit)
            if len(packed) > _MOST:
                return
            self.state_dir.mkdir(0o700, parents=True, exist_ok=True)
            path.parent.mkdir(0o700, exist_ok=True)
            key = make_key(self.state_dir)
            _replace(path, seal(key, packed, _about(unit.name, unit.limits, kind)))
            _evict(path.parent)
        except _UNUSABLE as exc:
            _log.debug("%s: its parsed form cannot be kept: %r", unit.name, exc)


def _is_worth_it(size: int, form: str) -> bool:
    return size > _LEAST and form in _FORMS


def _path(state_dir: Path, name: str, form: str) -> Path:
    """Return where the cache of a file is; one of another version is in its way."""
    slot = hashlib.sha256(json.dumps([name, form]).encode()).hexdigest()
    return state_dir / "parsed" / slot[:32]


def _about(name: str, limits: Limits, form: str) -> bytes:
    """Return what must be the same for a cache to give what a parse would give."""
    from importlib.metadata import version

    parser = sys.version if form == ".toml" else version("ruamel.yaml")
    facts = [_FORMAT, midflight.__version__, parser, name, form, attrs.astuple(limits)]
    return json.dumps(["midflight parsed form", *facts]).encode()


def _replace(path: Path, data: bytes) -> None:
    """Write a file as a whole. A loss of power may tear it: the seal tells."""
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _evict(directory: Path) -> None:
    """Remove the oldest files, among them what a killed process left half written."""
    with os.scandir(directory) as entries:
        found = sorted((entry.stat().st_mtime, entry.path) for entry in entries)
    for _, path in found[:-_KEPT]:
        with contextlib.suppress(OSError):
            os.unlink(path)
