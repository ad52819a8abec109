"""Who wrote what a store holds that keeps no history, such as a file."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

_FILE = "override-author.json"  # in the state directory of the service that reads
_MOST = 4096  # bytes


class Authors:
    """Remembers an author by the digest of what was written.

    An author is announced before the content is there, so that whoever sees it first
    knows. What somebody else has written since has another digest, and no author.
    """

    def __init__(self) -> None:
        self._announced = self._last = ("", "")

    def announce(self, digest: str, author: str, state_dir: Path | None) -> None:
        """Note who is about to write.

        Args:
            digest: of the document.
            author: who.
            state_dir: of the process that is to know, if that is another one.
        """
        self._announced = digest, author
        if state_dir is None:
            return
        with contextlib.suppress(OSError):  # a change is worth more than its author
            handle, name = tempfile.mkstemp(prefix=f".{_FILE}.", dir=state_dir)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump([digest, author[: _MOST // 8]], file)
                    owner = state_dir.stat()
                    with contextlib.suppress(PermissionError):
                        os.fchown(handle, owner.st_uid, owner.st_gid)
                Path(name).rename(state_dir / _FILE)
            except BaseException:
                Path(name).unlink()
                raise

    def of(self, digest: str, state_dir: Path | None) -> str:
        """Return who wrote a document, as far as that is known."""
        known = (self._announced, _told(state_dir), self._last)
        found = next((each for each in known if each[0] == digest), (digest, ""))
        if state_dir is not None and found is known[1]:
            with contextlib.suppress(OSError):  # it says so of this one version only
                (state_dir / _FILE).unlink()
        if found is self._announced:
            self._announced = "", ""
        self._last = found
        return found[1]


def _told(state_dir: Path | None) -> tuple[str, str]:
    """Return what another process has announced."""
    if state_dir is None:
        return "", ""
    try:
        with (state_dir / _FILE).open(encoding="utf-8") as file:
            digest, author = json.loads(file.read(_MOST))
    except (OSError, ValueError, TypeError):
        return "", ""
    return str(digest), str(author)
