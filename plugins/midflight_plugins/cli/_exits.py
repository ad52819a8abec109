"""Exit codes, and how an error ends a command."""

from __future__ import annotations

import enum

import click

from midflight.errors import (
    Fault,
    InvalidConfigurationError,
    MidflightError,
    PluginError,
    SourceUnavailableError,
)
from midflight_plugins.cli._not_running import NotRunningError
from midflight_plugins.cli._settings_file import SettingsError
from midflight_plugins.cli._text import json_text, printable
from midflight_plugins.cli._versions import MissingVersionError


class Exit(enum.IntEnum):
    """What a command's exit code means."""

    OK = 0
    INVALID = 1
    USAGE = 2
    UNAVAILABLE = 3
    FAILED = 4


_CODES = {
    SettingsError: Exit.USAGE,
    InvalidConfigurationError: Exit.INVALID,
    MissingVersionError: Exit.INVALID,
    SourceUnavailableError: Exit.UNAVAILABLE,
    PluginError: Exit.USAGE,
    NotRunningError: Exit.UNAVAILABLE,
    MidflightError: Exit.FAILED,
}
_UNAUTHORIZED = 401
_STATUSES = {
    **dict.fromkeys((400, 401, 403, 404, 405), Exit.USAGE),
    422: Exit.INVALID,
    **dict.fromkeys((502, 503, 504), Exit.UNAVAILABLE),
}
"""What the answer of a running service that refuses comes to."""


def report(error: Exception, form: str = "") -> int | None:
    """Write an expected error to standard error; return its exit code.

    Args:
        error: what ended the command.
        form: how its result was to be written; for `json` faults, of which the
            trouble with a plugin is one, are on standard output as well.

    Returns:
        `None` for an error that nobody expected.
    """
    fitting = (code for kind, code in _CODES.items() if isinstance(error, kind))
    code = next(fitting, None)
    if code is None:
        return None
    code = _of_service(error) or code
    if form == "json":
        _as_json(error)
    if isinstance(error, InvalidConfigurationError):
        from midflight_plugins.cli._faults import as_text

        is_here = not getattr(error, "is_elsewhere", False)
        click.echo(as_text(error.faults, excerpts=is_here), err=True)
    else:
        named = f"[{error.code}]" if isinstance(error, PluginError) else ""
        click.echo(f"{bold_error(named)}: {printable(str(error))}", err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(printable(note), err=True)
    return code


def _as_json(error: Exception) -> None:
    """Write the faults of an error to standard output, as `midflight check` does."""
    from midflight_plugins.cli._faults import as_data

    if isinstance(error, PluginError):
        faults: tuple[Fault, ...] = (Fault(error.code, str(error)),)
    elif isinstance(error, InvalidConfigurationError):
        faults = error.faults
    else:
        return
    click.echo(json_text({"ok": False, "faults": as_data(faults)}))


def _of_service(error: Exception) -> Exit | None:
    """Return the exit code of a refusal by a running service; note what it says."""
    from midflight_plugins.api import AnswerError

    if not isinstance(error, AnswerError):
        return None
    told = getattr(error, "__notes__", ())
    error.__notes__ = [*(f"  {fault}" for fault in error.faults), *told]
    if error.status == _UNAUTHORIZED:
        error.add_note("say who asks: with $MIDFLIGHT_TOKEN or --token-file")
    if error.outcome not in {"", "rejected"}:  # it was valid, and a module failed
        return Exit.FAILED
    return _STATUSES.get(error.status)


def bold_error(named: str = "") -> str:
    """Return the word that begins an error, with what names its kind."""
    return click.style(f"error{named}", fg="red", bold=True)
