"""Makes secrets, with fingerprints that mean the same after a restart."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from midflight import Fault, Secret
from midflight.errors import masked
from midflight_plugins.secrets._names import looks_secret, patterns

if TYPE_CHECKING:
    from midflight import Runtime

_FILE = "fingerprint.key"
_BYTES = 32
_SHOWN = 12  # hexadecimal digits, 48 bits


class Hider:
    """Wraps texts in `Secret`.

    With a state directory the fingerprints are made with a key kept there; without
    one, or if it cannot be used, with a key that only this process has.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._directory = runtime.state_dir
        self._notes = runtime.notes
        self._key: bytes | None = None

    def hide(self, text: str) -> Secret:
        """Return a text as a secret."""
        if self._key is None:
            self._key = self._kept()
        if not self._key:
            return Secret(text)
        import hmac

        data = text.encode(errors="surrogatepass")
        code = hmac.new(self._key, data, hashlib.sha256).hexdigest()
        return Secret(text, code[:_SHOWN])

    def _kept(self) -> bytes:
        """Return the key of the state directory; empty if there is none."""
        if self._directory is None:
            return b""
        try:
            return _key_in(self._directory)
        except OSError as exc:
            self._notes["secrets"] = (
                f"fingerprints of secrets hold for this process only: `{_FILE}` of the "
                f"state directory cannot be used: {exc.strerror}"
            )
            return b""


def untold(fault: Fault) -> Fault:
    """Return a fault without the value it found, if its key holds a secret."""
    more = patterns()
    if not any(looks_secret(key, more) for key in fault.path if isinstance(key, str)):
        return fault
    message = masked(fault.message, [fault.found.strip("'\"")])
    return attrs.evolve(fault, message=message, found="")


def _key_in(directory: Path) -> bytes:
    """Read the key, or make one; of several processes that do, one wins.

    Raises:
        OSError: if it cannot be kept, or is not a file of its size.
    """
    import tempfile

    path = directory / _FILE
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{_FILE}.", dir=directory)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        key = os.read(handle, _BYTES + 1)
    finally:
        os.close(handle)
    if len(key) != _BYTES:
        raise OSError(0, "it has not the right size")
    return key
