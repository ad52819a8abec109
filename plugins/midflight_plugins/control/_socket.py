"""A socket in a directory that only its owner enters, however long the path is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from midflight.errors import MidflightError

NAME = "control.sock"
_BACKLOG = 128
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_PEER = struct.Struct("3i")  # pid, uid, gid


def listening(state_dir: Path) -> tuple[socket.socket, int]:
    """Return a socket that listens, and the inode of its name.

    One that a dead process has left is replaced; that of a living one is not.

    Raises:
        MidflightError: another process listens there, or others may write there.
        OSError: the directory cannot be used.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _directory(state_dir) as folder:
        _check(state_dir, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)  # of two that start, one binds
        short = f"/proc/self/fd/{folder}/{NAME}"  # a path has at most 107 bytes
        _make_way(state_dir, folder, short)
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(short)
            os.chmod(NAME, 0o600, dir_fd=folder)
            listener.listen(_BACKLOG)  # until now nobody could connect
            return listener, os.stat(NAME, dir_fd=folder).st_ino
        except BaseException:
            listener.close()
            raise


def remove(state_dir: Path, inode: int) -> None:
    """Remove the socket's name, unless it is another one's by now."""
    with contextlib.suppress(OSError), _directory(state_dir) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if os.stat(NAME, dir_fd=folder).st_ino == inode:
            os.unlink(NAME, dir_fd=folder)


def is_trusted(connection: socket.socket) -> bool:
    """Tell whether this user, or root, is at the other end."""
    return _uid_of(connection) in {0, os.geteuid()}


def user_of(connection: socket.socket) -> str:
    """Return the name of the user at the other end, or its number if it has none."""
    uid = _uid_of(connection)
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _uid_of(connection: socket.socket) -> int:
    options = socket.SOL_SOCKET, socket.SO_PEERCRED
    uid: int = _PEER.unpack(connection.getsockopt(*options, _PEER.size))[1]
    return uid


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[int]:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def _check(path: Path, folder: int) -> None:
    """Refuse a directory in which others could put a socket of theirs."""
    status = os.fstat(folder)
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & _OTHERS_WRITE:
        msg = f"{path} can be written by others; run: chmod 700 {path}"
        raise MidflightError(msg)


def _make_way(path: Path, folder: int, short: str) -> None:
    """Remove a socket that nobody listens on."""
    try:
        mode = os.lstat(f"/proc/self/fd/{folder}/{NAME}").st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        msg = f"{path / NAME} is no socket; move it away"
        raise MidflightError(msg)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # a full queue belongs to a living process as well
        try:
            probe.connect(short)
        except ConnectionRefusedError:
            os.unlink(NAME, dir_fd=folder)
            return
        except BlockingIOError:
            pass
    msg = f"another process serves {path / NAME}; give this one its own state directory"
    raise MidflightError(msg)
