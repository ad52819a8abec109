"""The state directory: whose it is, who may enter it, and that one process is in it."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from midflight_plugins.state._disk import TEMPORARY, Disk, StateError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Folder:
    """A state directory that this process has to itself.

    Args:
        path: where it is; it is made if need be, for nobody but its owner.
        disk: makes the file operations.

    Raises:
        StateError: if others may write it, it is somebody else's, or in use.
        OSError: if it cannot be made or read.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            msg = f"{path} is no directory"
            raise StateError(msg) from None
        self.path, self.disk = path.resolve(), disk
        check_owner(self.path)
        self._lock = self._locked()
        for each in self.path.iterdir():
            if each.name.startswith(".") and each.name.endswith(TEMPORARY):
                disk.unlink(each)

    def _locked(self) -> int:
        """Take the lock, which ends with the process, however that ends."""
        path = self.path / "lock"
        handle = self.disk.open(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(handle, 0)
            self.disk.write(handle, _owner())
        except BlockingIOError:
            owner, _, _ = (
                os.pread(handle, 20, 0).decode(errors="replace").partition("\n")
            )
            os.close(handle)
            msg = f"{self.path} is in use by process {owner or '(unknown)'}"
            raise StateError(msg) from None
        except OSError:
            os.close(handle)
            raise
        return handle

    def check(self) -> None:
        """See that it is still the directory that was opened.

        Raises:
            StateError: if it was removed or replaced; writes would go nowhere.
        """
        mine = os.fstat(self._lock)
        try:
            there = (self.path / "lock").stat()
        except FileNotFoundError:
            there = None
        if there is None or (there.st_ino, there.st_dev) != (mine.st_ino, mine.st_dev):
            msg = f"{self.path} was removed or replaced"
            raise StateError(msg)

    def close(self) -> None:
        """Let another process in.

        A forked child that inherited the lock and lets go of its copy takes nothing
        from its parent.
        """
        os.close(self._lock)


def started_in(path: Path) -> str:
    """Return the directory in which the last process that had a folder was started."""
    try:
        _, _, place = (path / "lock").read_text("utf-8", "replace").partition("\n")
    except OSError:
        return ""
    return place.strip()


def _owner() -> bytes:
    """Return what tells who has a folder: the process, and where it was started."""
    try:
        here = str(Path.cwd())
    except OSError:  # it was removed
        here = ""
    return f"{os.getpid()}\n{here}\n".encode(errors="replace")


def check_owner(path: Path) -> None:
    """See that nobody else can put anything into a directory; keep readers out.

    Raises:
        StateError: saying what is wrong and what to do.
    """
    found = path.stat()
    if found.st_uid != os.geteuid():
        msg = f"{path} belongs to user {found.st_uid}, not to {os.geteuid()}"
        raise StateError(msg)
    if found.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(found.st_mode)
        msg = (
            f"others may write {path} (mode {mode:o}): `chmod 700` it, or give another"
        )
        raise StateError(msg)
    if found.st_mode & 0o077:
        path.chmod(0o700)
