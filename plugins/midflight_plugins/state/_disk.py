"""File operations of the state directory: one seam, through which tests break them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from midflight.errors import Code, MidflightError

TEMPORARY = ".tmp"


class StateError(MidflightError):
    """The state directory cannot be used."""

    code = Code.E_STATE


class Disk:
    """What is done to files; each call is a step that may fail or be the last."""

    def open(self, path: Path, flags: int) -> int:
        """Open a file that nobody else may read; never follow a link."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def write(self, handle: int, data: bytes, at: int = 0) -> None:
        """Write all of `data`, from the position `at` on."""
        view = memoryview(data)
        while view:
            count = os.pwrite(handle, view, at)
            view, at = view[count:], at + count

    def sync(self, handle: int) -> None:
        """Wait until what was written outlives a loss of power."""
        os.fsync(handle)

    def rename(self, old: Path, new: Path) -> None:
        """Put a file in the place of another, at once."""
        os.replace(old, new)  # noqa: PTH105  # a seam of plain operations

    def link(self, old: Path, new: Path) -> None:
        """Give a file a name that must be free."""
        os.link(old, new)

    def unlink(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def step(self, name: str) -> None:
        """Come to a point between operations that are not made here."""


def put(disk: Disk, path: Path, data: bytes, *, fresh: bool = False) -> None:
    """Write a file so that it is there whole, or as it was before.

    Args:
        disk: makes the operations.
        path: where it shall be.
        data: what it shall hold.
        fresh: keep one that is there already.

    Raises:
        OSError: if any of the operations fails; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    handle = disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        try:
            disk.write(handle, data)
            disk.sync(handle)
        finally:
            os.close(handle)
        if fresh:
            with contextlib.suppress(FileExistsError):
                disk.link(temporary, path)
            disk.unlink(temporary)
        else:
            disk.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            disk.unlink(temporary)
        raise
    sync_folder(disk, path.parent)


def sync_folder(disk: Disk, folder: Path) -> None:
    """Wait until the names in a folder outlive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        disk.sync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> bytes | None:
    """Return what a file holds, or `None` if it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
