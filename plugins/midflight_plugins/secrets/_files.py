"""Secrets in files, from the directories that are meant to hold some."""

from __future__ import annotations

import errno
import hashlib
import os
import stat

from midflight.errors import MidflightError

SETTING = "MIDFLIGHT_SECRETS_PATH"
MOST = 64 * 1024  # bytes
_DEFAULT = "/run/secrets"  # of Docker, Podman and Kubernetes
_SYSTEMD = "CREDENTIALS_DIRECTORY"


class FileResolver:
    """Resolves `${file:PATH}` to the text of a file, without its last line break.

    PATH is absolute, or relative to the process's directory. What somebody may write
    into a configuration must not give them the host's files: the file that was opened
    has to lie below one of `roots`, wherever links lead.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def resolve(self, rest: str) -> str:
        """Read the file.

        Raises:
            MidflightError: if it is not there, not allowed, too large or no text.
        """
        try:
            text = _read(_absolute(rest)).decode()
        except UnicodeDecodeError:
            msg = "the file is not UTF-8 text"
            raise MidflightError(msg) from None
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:  # most likely, somebody is about to write it
            msg = "the file is empty"
            raise MidflightError(msg)
        return text

    def token(self, rest: str) -> str:
        """Return a token of the file's content, or of why it cannot be read."""
        path = _absolute(rest)
        code = hashlib.blake2b(key=self._key, digest_size=16)
        try:
            code.update(_read(path))
        except MidflightError as exc:
            code.update(f"\0{exc}".encode())
        return code.hexdigest()

    def paths(self, rest: str) -> list[str]:
        """Return the file, so that it is watched; only where it may be read."""
        path = _absolute(rest)
        return [path] if _is_below(_real(path)) else []


def roots() -> list[str]:
    """Return the directories below which secrets are read, with links resolved.

    Those of `MIDFLIGHT_SECRETS_PATH`, separated by colons; without that variable
    `/run/secrets`, and systemd's `$CREDENTIALS_DIRECTORY`.
    """
    setting = os.environ.get(SETTING)
    if setting is None:
        found = [_DEFAULT, os.environ.get(_SYSTEMD, "")]
    else:
        found = setting.split(":")
    return [os.path.realpath(each) for each in found if each]


def _absolute(rest: str) -> str:
    return os.path.abspath(rest)


def _is_below(path: str) -> bool:
    return any(path.startswith(root.rstrip("/") + "/") for root in roots())


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # the name may be none that a file can have
        return path


def _read(path: str) -> bytes:
    """Read a file once; the checks are made on what was opened."""
    if not _is_below(path) and not _is_below(_real(path)):
        raise _outside()  # before anything is opened: to open a device can do harm
    try:
        # A pipe must not block here; whether it is one is known only once it is open.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as exc:
        raise _failed(exc) from None
    try:
        return _read_open(handle, path)
    except OSError as exc:
        raise _failed(exc) from None
    finally:
        os.close(handle)


def _read_open(handle: int, path: str) -> bytes:
    status = os.fstat(handle)
    real = _opened(handle, path, status)
    if not _is_below(real):
        raise _outside()
    if not stat.S_ISREG(status.st_mode):
        msg = "it is not a regular file"
        raise MidflightError(msg)
    parts: list[bytes] = []
    left = MOST + 1
    while left and (part := os.read(handle, left)):
        parts.append(part)
        left -= len(part)
    if not left:
        msg = f"the file is larger than {MOST // 1024} KiB"
        raise MidflightError(msg)
    return b"".join(parts)


def _opened(handle: int, path: str, status: os.stat_result) -> str:
    """Return where an open file really is."""
    try:
        return os.readlink(f"/proc/self/fd/{handle}").removesuffix(" (deleted)")
    except OSError:
        real = os.path.realpath(path)
        if not os.path.samestat(os.stat(real), status):
            msg = "the file was replaced while it was opened"
            raise OSError(errno.EAGAIN, msg) from None
        return real


def _outside() -> MidflightError:
    places = ", ".join(roots()) or "none"
    msg = f"it is not below a directory of {SETTING}, which are: {places}"
    return MidflightError(msg)


def _failed(exc: OSError | ValueError) -> MidflightError:
    missing = (errno.ENOENT, errno.ENOTDIR)
    if isinstance(exc, ValueError) or exc.errno in missing:
        return MidflightError("there is no such file")
    return MidflightError(str(exc.strerror))
