"""Open, check and read files: each once, confined to a root directory."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable

import attrs

_BLOCK = 65_536  # bytes that have a digest of their own
_PASSING = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)


@attrs.frozen
class FileBytes:
    """What one read of a file gave.

    Args:
        path: absolute, as it was opened.
        data: the bytes, or `None` if they could not be read.
        real: where the opened file really is.
        problem: why there are no bytes: `missing`, `outside`, `size` or an OS error.
        error: the OS error, if there was one.
        size: bytes of the file, if it was too large.
        sums: the digest of each block of the bytes.
    """

    path: str
    data: bytes | None = None
    real: str = ""
    problem: str = ""
    error: OSError | None = None
    size: int = 0
    sums: tuple[bytes, ...] = attrs.field(
        default=attrs.Factory(lambda self: _sums(self.data), takes_self=True),
        repr=False,
    )

    def same_as(self, other: FileBytes) -> bool:
        """Tell whether two reads of one file gave the same."""
        mine, theirs = (self.problem, self.size), (other.problem, other.size)
        return self.data == other.data and mine == theirs

    @property
    def lasting(self) -> bool:
        """Whether the problem is one of the deployment, not of the machine."""
        return self.error is None or self.error.errno in _PASSING


def read(
    path: str, max_size: int, root: str | None = None, before: FileBytes | None = None
) -> FileBytes:
    """Read a file once; the checks are made on what was opened.

    Args:
        path: absolute.
        max_size: bytes; a larger file is not read.
        root: real path of the directory that must hold it, or `None` for anywhere.
        before: an earlier read: what is the same is neither kept nor digested twice.
    """
    if root is not None and not within(path, root) and not within(_real(path), root):
        return FileBytes(path, problem="outside")
    try:
        # A pipe must not block here; whether it is one is known only once it is open.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        handle = os.open(path, flags)
    except (OSError, ValueError) as exc:
        return _failed(path, exc)
    try:
        return _read_open(handle, path, max_size, root, before)
    except OSError as exc:
        return _failed(path, exc)
    finally:
        os.close(handle)


def _read_open(
    handle: int, path: str, max_size: int, root: str | None, before: FileBytes | None
) -> FileBytes:
    status = os.fstat(handle)
    real = _opened(handle, path, status)
    if root is not None and not within(real, root):
        return FileBytes(path, real=real, problem="outside")
    if not stat.S_ISREG(status.st_mode):
        error = OSError(errno.EISDIR, "not a regular file", path)
        return FileBytes(path, real=real, problem="not a regular file", error=error)
    if status.st_size > max_size:
        return FileBytes(path, real=real, problem="size", size=status.st_size)
    parts: list[bytes] = []
    left = max_size + 1
    # The whole, so that it is not copied together; it may be longer than it was.
    at_once = max(status.st_size + 1, _BLOCK)
    while left and (part := os.read(handle, min(left, at_once))):
        parts.append(part)
        left -= len(part)
    if not left:
        return FileBytes(path, real=real, problem="size", size=max_size + 1)
    data = b"".join(parts)
    if before is not None and before.data == data:
        return FileBytes(path, before.data, real, sums=before.sums)
    return FileBytes(path, data, real, sums=_sums(data, before))


def _opened(handle: int, path: str, status: os.stat_result) -> str:
    """Return where an open file really is."""
    try:
        return os.readlink(f"/proc/self/fd/{handle}").removesuffix(" (deleted)")
    except OSError:
        real = _real(path)
        if not os.path.samestat(os.stat(real), status):
            msg = "the file was replaced while it was opened"
            raise OSError(errno.EAGAIN, msg, path) from None
        return real


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:
        return path


def within(path: str, root: str) -> bool:
    """Tell whether an absolute path lies in a directory, by its text."""
    return path == root or path.startswith(root.rstrip("/") + "/")


def _failed(path: str, exc: OSError | ValueError) -> FileBytes:
    if isinstance(exc, ValueError):
        exc = OSError(errno.ENOENT, "not a file name", path)
    missing = exc.errno in (errno.ENOENT, errno.ENOTDIR)
    problem = "missing" if missing else (exc.strerror or str(exc))
    return FileBytes(path, problem=problem, error=exc)


def token(files: Iterable[FileBytes]) -> str:
    """Return a digest of what files hold, or of why they cannot be read."""
    digest = hashlib.sha256()
    for file in files:
        size = len(file.data) if file.data is not None else 0
        head = f"{file.path}\0{file.problem}\0{file.size}\0{size}\0"
        digest.update(head.encode("utf-8", "surrogatepass"))
        digest.update(b"".join(file.sums))
    return digest.hexdigest()


def _sums(data: bytes | None, before: FileBytes | None = None) -> tuple[bytes, ...]:
    """Return the digest of each block; one that stood there before is known."""
    old = before.data if before is not None and before.data is not None else b""
    known = before.sums if before is not None else ()
    view, sums = memoryview(data or b""), []
    for at, begin in enumerate(range(0, len(view), _BLOCK)):
        block = view[begin : begin + _BLOCK]
        same = len(block) == min(len(old) - begin, _BLOCK)
        if same and old.startswith(block, begin):
            sums.append(known[at])
        else:
            sums.append(hashlib.sha256(block).digest())
    return tuple(sums)
