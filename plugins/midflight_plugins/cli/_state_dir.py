"""Where a service keeps its state: a directory of its own for each configuration."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import Any

from midflight.errors import SourceUnavailableError
from midflight_plugins.cli._kinds import moved
from midflight_plugins.cli._passwords import redacted
from midflight_plugins.cli._resolved import Settings

SYSTEMD = "STATE_DIRECTORY"
_SOCKET = "control.sock"
_READABLE = 24  # characters of a name; a socket's whole path has at most 107


def directory_of(settings: Settings) -> str | None:
    """Return the state directory, made or not; `None` if there shall be none.

    By default systemd's, else one below the user's that has the name of the settings
    file or the sources, and part of a hash of where they are.
    """
    wanted = settings["state_dir"]
    if not isinstance(wanted, bool):
        return str(Path(wanted).absolute())
    given = os.environ.get(SYSTEMD, "").split(":")[0]
    if not wanted or not (given or settings.sources):
        return None
    return given or str(root() / _name(settings))


def root() -> Path:
    """Return the directory that holds those of all services of this user."""
    base = os.environ.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):  # by its specification, a relative one is ignored
        base = os.path.expanduser("~/.local/state")  # noqa: PTH111  # a `Path` raises where there is no home
    return Path(base, "midflight")


def running() -> list[Path]:
    """Return the state directories in the default place that a service serves."""
    found = sorted(root().glob(f"*/{_SOCKET}"))
    return [each.parent for each in found if _lives(each.parent)]


def _lives(directory: Path) -> bool:
    """Tell whether anybody answers there."""
    from midflight_plugins.api import AnswerError, Client

    try:
        Client.of(directory).ask("GET", "status")
    except (SourceUnavailableError, AnswerError) as exc:
        return isinstance(exc, AnswerError)
    return True


def made(directory: str) -> str:
    """Make a directory that only its owner can enter; return what is wrong with it.

    Raises:
        NotADirectoryError: if something else is in its way.
    """
    path = Path(directory)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.stat()
    except (FileExistsError, NotADirectoryError) as exc:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from exc
    except OSError as exc:
        return exc.strerror or str(exc)
    if found.st_uid != os.geteuid():
        return f"it belongs to user {found.st_uid}, not to {os.geteuid()}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others may write it (mode {stat.S_IMODE(found.st_mode):o}): chmod 700"
    return "" if os.access(directory, os.W_OK | os.X_OK) else "Permission denied"


def _name(settings: Settings) -> str:
    """Return what tells this service's directory from others."""
    import hashlib

    named = (
        settings.file and settings.found["source" if settings["source"] else "layers"]
    )
    if named and named.origin == "file" and settings.file:
        place = str(Path(settings.file.name).absolute())
        readable = Path(place).parent.name
    else:
        place = "\n".join(_absolute(each) for each in settings.sources)
        readable = _readable(settings.sources[0])
    digest = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()
    word = re.sub(r"[^A-Za-z0-9]+", "-", readable).strip("-")[:_READABLE]
    return f"{word or 'service'}-{digest[:8]}"


def _absolute(source: Any) -> str:
    """Return a source as it is called anywhere, without a password."""
    if not isinstance(source, str):
        return f"{Path.cwd()}:{source}"
    uri = redacted(moved(source, str(Path.cwd())))
    known = uri != redacted(source) or "://" in uri or uri.startswith("file:/")
    return uri if known else f"{Path.cwd()}:{uri}"


def _readable(source: Any) -> str:
    text = redacted(source) if isinstance(source, str) else "layers"
    last = re.split(r"[/#:]", text.rstrip("/#:"))[-1]
    return Path(last).stem if text.startswith("file:") else last
