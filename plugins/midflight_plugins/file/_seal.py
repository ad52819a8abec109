"""Seal what is kept in the state directory: it may hold secrets.

The key has 32 bytes. It is systemd's credential `midflight.key`, else the file that
`MIDFLIGHT_STATE_KEY_FILE` names, else `state.key` in the state directory, which is made
when it is first needed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

_LENGTH = 32
_NONCE = 12


def find_key(state_dir: Path) -> bytes | None:
    """Return the key that seals, or `None` if there is none yet.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no key, or the one in the state directory is somebody else's
            or may be read by others.
    """
    given = _given()
    if given is not None:
        return _checked(given.read_bytes(), given)
    path = state_dir / "state.key"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        # Also for root: who put a key there could seal a configuration with it.
        if status.st_uid not in (os.geteuid(), 0):
            msg = f"{path}: it belongs to user {status.st_uid}; remove it"
            raise ValueError(msg)
        if stat.S_IMODE(status.st_mode) & 0o077:
            msg = f"{path}: others may read or write it; `chmod 600` it"
            raise ValueError(msg)
        return _checked(file.read(_LENGTH + 1), path)


def _given() -> Path | None:
    """Return the key file that was named to this process, if there is one."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    credential = Path(folder, "midflight.key") if folder else None
    if credential is not None and credential.exists():
        return credential
    named = os.environ.get("MIDFLIGHT_STATE_KEY_FILE")
    return Path(named) if named else None


def _checked(key: bytes, path: Path) -> bytes:
    if len(key) != _LENGTH:
        msg = f"{path}: a key has {_LENGTH} bytes"
        raise ValueError(msg)
    return key


def make_key(state_dir: Path) -> bytes:
    """Return the key that seals; make one if there is none.

    Raises:
        OSError: it can be neither read nor made.
        ValueError: see `find_key`.
    """
    key = find_key(state_dir)
    if key is not None:
        return key
    handle, name = tempfile.mkstemp(prefix=".state.key-", dir=state_dir)
    try:
        with open(handle, "wb") as file:
            file.write(os.urandom(_LENGTH))
            file.flush()
            os.fsync(file.fileno())
        # Of processes that start at once, one makes the key; the others take it.
        with contextlib.suppress(FileExistsError):
            os.link(name, state_dir / "state.key")
    finally:
        os.unlink(name)
    _sync(state_dir)
    return make_key(state_dir)


def _sync(directory: Path) -> None:
    """See that a new name in a directory outlives a loss of power."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(key: bytes, plain: bytes, about: bytes) -> bytes:
    """Encrypt; `about` is what the text is bound to, and is not kept with it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def unseal(key: bytes, sealed: bytes, about: bytes) -> bytes | None:
    """Decrypt, or return `None` for what was not sealed so, to the last bit."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], about)
    except (InvalidTag, ValueError):  # changed, or too short to be anything
        return None
