"""Write a configuration file: whole or not at all, and by one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator

import attrs

from midflight import Document, Fault, Place
from midflight.errors import (
    Code,
    ConflictError,
    InvalidConfigurationError,
    PluginError,
    SourceUnavailableError,
    UnknownOutcomeError,
)
from midflight_plugins.file._dump import dumped
from midflight_plugins.file._edit import edits
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._reading import FileBytes, read, token
from midflight_plugins.file._unit import Unit, build, rebuild

_YAML = frozenset({".yaml", ".yml"})
_MODE = 0o666  # less the process's mask, as an editor would make it


@attrs.frozen
class Writing:
    """One put of one file.

    Args:
        name: the file as its user wrote it; errors carry it.
        path: absolute.
        limits: bounds on what may be written.
        known: the file as it was last read, so that it is not parsed in full again.
    """

    name: str
    path: str
    limits: Limits
    known: Unit | None = None

    def put(
        self, document: Document, text: str | None, expected: str | int | None
    ) -> str:
        """Replace the file, if it still is as its token says.

        Args:
            document: what is written.
            text: what its author wrote; used if it means just that document.
            expected: the token of what it is based on, `None` if there is no file.

        Returns:
            The token of what is there now.

        Raises:
            ConflictError: the file is another one by now.
            PluginError: it cannot be written as one file.
            InvalidConfigurationError: its format cannot hold the document, or it would
                be larger than what is read.
            SourceUnavailableError: it was not written.
            UnknownOutcomeError: it was written, and may not survive a power cut.
        """
        try:
            real = os.path.realpath(self.path)
            with _alone(os.path.dirname(real)) as folder:
                now = self._compared(expected)
                data = self._data(document, text, now)
                if len(data) > self.limits.max_size:
                    fault = self.limits.too_large(self.name, f"{len(data)} bytes")
                    raise InvalidConfigurationError(fault)
                if data != now.data:
                    self._replace(folder, real, data)
                return token([FileBytes(self.path, data)])
        except OSError as exc:
            msg = f"{self.name}: cannot be written: {exc.strerror or exc}"
            raise SourceUnavailableError(msg) from exc

    def _compared(self, expected: str | int | None) -> FileBytes:
        """Read what is there; refuse unless it is what the author has seen."""
        now = read(self.path, self.limits.max_size)
        if now.error is not None and now.problem != "missing":
            raise now.error
        self._refuse_references(now)
        found = None if now.problem == "missing" else token([now])
        if found == (None if expected is None else str(expected)):
            return now
        msg = f"file:{self.name}: it is not as it was when it was read; read it again"
        if expected is None:
            msg = f"file:{self.name}: there is a file already, {found}"
        elif found is None:
            msg = f"file:{self.name}: the file is gone, and so is version {expected}"
        raise ConflictError(msg)

    def _data(self, document: Document, text: str | None, now: FileBytes) -> bytes:
        """Return the bytes to write: the text, what is there, edited, or new ones."""
        there = self._parsed(now.data) if now.data is not None else None
        data = None if text is None else text.encode("utf-8", "surrogatepass")
        if data is not None and _means(self._parsed(data), document):
            return data
        if there is not None and _means(there, document):
            return there.data
        form = self._suffix()
        if there is not None and not there.faults and form in _YAML:
            for data in edits(there, document):
                if _means(self._parsed(data, there), document):
                    return data
        data = dumped(document, form).encode()
        found = self._parsed(data)
        if not _means(found, document):
            msg = "the document cannot be written and read back as it is"
            fault = Fault(Code.E_VALUE, msg, place=Place(self.name))
            raise InvalidConfigurationError([fault, *found.faults])
        return data

    def _refuse_references(self, now: FileBytes) -> None:
        there = self._parsed(now.data) if now.data is not None else None
        if there is not None and (there.imports or there.workflows):
            msg = f"file:{self.name} names other files: edit them instead"
            raise PluginError(msg)

    def _parsed(self, data: bytes, before: Unit | None = None) -> Unit:
        before = before or self.known
        if before is not None and before.data == data:
            return before
        near = before and rebuild(before, data, self.path)
        return near or build(self.name, data, self.path, self.limits)

    def _suffix(self) -> str:
        suffix = os.path.splitext(self.name)[1].lower()
        if suffix in _YAML or suffix == ".json":
            return suffix
        msg = f"file:{self.name}: only .yaml, .yml and .json can be written"
        raise PluginError(msg)

    def _replace(self, folder: int, real: str, data: bytes) -> None:
        """Write beside the file, and rename: nobody reads half of it."""
        name = os.path.basename(real)
        other = f".{name[:200]}.{secrets.token_hex(6)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(other, flags, _MODE, dir_fd=folder)
        try:
            try:
                _keep_rights(handle, real)
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            os.rename(other, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(other, dir_fd=folder)
            raise
        try:
            os.fsync(folder)
        except OSError as exc:
            which = token([FileBytes(self.path, data)])
            source = f"file:{self.name}"
            raise UnknownOutcomeError(source, which) from exc


def _means(unit: Unit, wanted: Document) -> bool:
    """Tell whether a file says just that, in that order, and names no other."""
    if unit.faults or unit.imports or unit.workflows or unit.document is None:
        return False
    found = unit.document
    return found == wanted and [*found.modules] == [*wanted.modules]


@contextlib.contextmanager
def _alone(directory: str) -> Iterator[int]:
    """Keep other writers of this host out of a directory, without a file for it."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _keep_rights(handle: int, real: str) -> None:
    """Give a new file the mode and, where allowed, the owner of the old one."""
    try:
        old = os.stat(real)
    except FileNotFoundError:
        return
    with contextlib.suppress(PermissionError):
        os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))
