"""Finds the state directory that a command is about."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = "midflight"
_SHOWN = 20  # directories that are described
_LOOKED_AT = 5  # newest records of a journal, of which some name no source


def settled(settings: Any, sources: Sequence[str] = ()) -> str | None:
    """Return the directory that the settings of a command line lead to, if any.

    Args:
        settings: what the command line keeps in its root context; another one than
            `midflight` may keep anything there.
        sources: what `--source` says.

    Raises:
        click.UsageError: if that cannot be, or the command line knows no sources.
    """
    if sources:
        import click

        told = getattr(settings, "told", None)
        if told is None:
            msg = "this command line knows no sources; name the service by --state-dir"
            raise click.UsageError(msg)
        try:
            settings = told(source=list(sources))
        except ValueError as exc:
            msg = f"--source is wrong; expected: {exc}"
            raise click.UsageError(msg) from exc
    found = settings.get("state_dir") if isinstance(settings, Mapping) else None
    return str(found) if found else None


def named(given: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the directory that somebody named.

    It is the option, else `$MIDFLIGHT_STATE_DIR`, else the first directory in the
    `$STATE_DIRECTORY` of systemd.
    """
    first = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    found = given or environ.get("MIDFLIGHT_STATE_DIR") or first
    return Path(found).expanduser() if found else None


def candidates() -> list[Path]:
    """Return the directories below `$XDG_STATE_HOME/midflight`, last used first.

    Each service has its own there, unless it is told otherwise.
    """
    home = os.environ.get("XDG_STATE_HOME", "")
    home = home if home.startswith("/") else "~/.local/state"
    parent = Path(home).expanduser() / FOLDER
    found = [each for each in parent.iterdir() if each.is_dir()] if _is(parent) else []
    return sorted(found, key=_used, reverse=True)


def described(folders: Sequence[Path]) -> str:
    """Say whose each directory is, and when it was last used; of the first of many."""
    from midflight.errors import plain

    shown = folders[:_SHOWN]
    pairs = [(f"  {each}", f"    {_about(each)}") for each in shown]
    lines = [plain(line, 1_000) for pair in pairs for line in pair]
    more = len(folders) - _SHOWN
    return "\n".join(["", *lines, *([f"  and {more} older ones"] if more > 0 else [])])


def _about(folder: Path) -> str:
    from midflight_plugins.state._disk import StateError
    from midflight_plugins.state._folder import started_in
    from midflight_plugins.state._reading import last_records

    at = datetime.datetime.fromtimestamp(_used(folder), datetime.UTC)
    when = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    try:
        records = last_records(folder, _LOOKED_AT)
    except (StateError, OSError):
        records = []
    source = next((str(each["source"]) for each in records if each.get("source")), "")
    place = started_in(folder)
    where = f" in {place}" if place else ""
    return f"{source or 'an unknown source'}{where}, last used {when}"


def _used(folder: Path) -> float:
    """Return when a service last wrote there: at its start, and at each decision."""
    used = max(_changed(folder / "lock"), _changed(folder / "journal.head"))
    return used or _changed(folder)


def _changed(path: Path) -> float:
    """Return when a file was written, 0 if that cannot be told."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _is(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
