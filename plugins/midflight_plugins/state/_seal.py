"""Encrypts what holds configuration, with a key that this process can find again."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from midflight_plugins.state._disk import Disk, StateError, put, read

SIZE = 32
NONCE = 12


def key_for(folder: Path, disk: Disk, environ: Mapping[str, str]) -> bytes:
    """Return the key of a state directory; make one if nobody gave any.

    Raises:
        OSError, StateError: if it cannot be made; and as `key_of`.
    """
    own = folder / "state.key"
    if _given(environ) is None and read(own) is None:
        put(disk, own, os.urandom(SIZE), fresh=True)  # another may make it meanwhile
    return key_of(folder, environ)


def key_of(folder: Path, environ: Mapping[str, str]) -> bytes:
    """Return the key of a state directory.

    It is `midflight.key` in `$CREDENTIALS_DIRECTORY`, else the file that
    `$MIDFLIGHT_STATE_KEY_FILE` names, else `state.key` in the directory itself.

    Raises:
        StateError: if the file does not hold exactly 32 bytes, or others may read
            the one in the directory.
        OSError: if it is not there, or cannot be read.
    """
    if (given := _given(environ)) is not None:
        return _checked(given.read_bytes(), given)
    own = folder / "state.key"
    if stat.S_IMODE(own.stat().st_mode) & 0o077:
        msg = f"others may read or write {own}; run `chmod 600 {own}`"
        raise StateError(msg)
    return _checked(own.read_bytes(), own)


def _given(environ: Mapping[str, str]) -> Path | None:
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    given = Path(credentials, "midflight.key") if credentials else None
    if given is None or not given.exists():
        named = environ.get("MIDFLIGHT_STATE_KEY_FILE")
        given = Path(named) if named else None
    return given


def _checked(key: bytes, path: Path) -> bytes:
    if len(key) != SIZE:
        msg = f"{path} is no key: it holds {len(key)} bytes, expected {SIZE}"
        raise StateError(msg)
    return key


def seal(key: bytes, data: bytes, about: bytes) -> bytes:
    """Encrypt; `about` is bound to it, and not kept with it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, about)


def unseal(key: bytes, sealed: bytes, about: bytes) -> bytes | None:
    """Decrypt; `None` if it is not what that key sealed, to the last bit."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], about)
    except (InvalidTag, ValueError):
        return None
