"""What the subcommands of `midflight override` do."""

from __future__ import annotations

import getpass
import json
import os
import socket
from pathlib import Path
from typing import Any

import click

from midflight import Runtime, Secret
from midflight.errors import InvalidConfigurationError, plain
from midflight_plugins.overrides._change import (
    ANY,
    UNSET,
    Edit,
    RefusedError,
    Verdict,
    Written,
)
from midflight_plugins.overrides._edit import keys_of, path_text, tree_of, value_at
from midflight_plugins.overrides._process import Process
from midflight_plugins.overrides._settings import VARIABLE, store_uri
from midflight_plugins.overrides._source import OverridesSource
from midflight_plugins.overrides._store import uri_of

_APPLY_FAILED = 4  # exit code
_STATES = {
    "applied": "applied as generation {0}",
    "held": "stored; it waits for an approval",
    "stored": "stored, not yet applied; a running service applies it by its own watch",
}


def value_of(word: str, *, as_text: bool) -> Any:
    """Read a value: JSON if it is, else text."""
    if as_text:
        return word
    try:
        return json.loads(word)
    except ValueError:
        return word


def opened(store: str | None) -> OverridesSource:
    """Return the source to work on.

    Raises:
        click.UsageError: if there is none, or one that ends with this command.
    """
    found = store or store_uri()
    if found is None:
        msg = (
            f"give a --store URI, or set {VARIABLE}, or name a `store` in the section "
            "`overrides` of midflight.toml"
        )
        raise click.UsageError(msg)
    try:
        uri = uri_of(found.removeprefix("overrides:"))
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None
    if uri.partition(":")[0] == "memory":
        msg = "a store in memory ends with its process; change it from Python there"
        raise click.UsageError(msg)
    return OverridesSource(uri)


def change(
    path: str,
    value: Any,
    *,
    store: str | None,
    state_dir: str | None,
    expect: str | None,
    author: str | None,
    message: str,
    form: str,
) -> int:
    """Make one change, say what became of it, and return the exit code.

    Raises:
        click.ClickException: if nothing is set there.
        MidflightError: if it is refused, or not stored.
    """
    edit, source = Edit(keys_of(path), value), opened(store)
    process = Process(Path(state_dir)) if state_dir else None
    if process is not None:
        process.shows("")  # before anything is stored: is there one at all
    ask = process.ask if process else lambda _author: Verdict("stored")
    writer = source.writer(ask, _author() if author is None else author, message)
    expected: Any = ANY if expect is None else None if expect == "none" else expect
    try:
        written = writer.write(edit, expected)
    except KeyError:
        msg = f"nothing is set at {path_text(edit.keys)}"
        raise click.ClickException(msg) from None
    except RefusedError as exc:
        if exc.ended == "rejected":
            raise
        for line in (f"{exc.ended}: {exc}", *getattr(exc, "__notes__", ())):
            click.echo(plain(line, 2000), err=True)
        return _APPLY_FAILED
    _say(edit, written, form)
    if process and written.state == "applied" and not process.shows(written.version):
        msg = f"no layer of the process in {state_dir} is at that version of the store"
        click.echo(f"warning: {plain(msg)}", err=True)
    return 0


def _say(edit: Edit, written: Written, form: str) -> None:
    if form == "json":
        data = {
            "path": path_text(edit.keys),
            **({} if edit.value is UNSET else {"value": edit.value}),
            "version": written.version,
            "changed": written.changed,
            "state": written.state,
            "generation": written.generation or None,
        }
        click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))
        return
    text = _STATES[written.state].format(written.generation)
    same = "" if written.changed else "no change: "
    click.echo(f"{same}version {_short(written.version)}: {text}")


def _short(version: str | int) -> str:
    """Cut a version that is a digest."""
    text = str(version)
    return plain(text if len(text) <= 20 else text[:12])  # noqa: PLR2004  # a digest has 64


def listed(store: str | None, form: str) -> None:
    """Write every override with its place.

    Raises:
        MidflightError: if the store cannot be read.
    """
    source = opened(store)
    found, secrets = source.list(), _Secrets(source)
    rows = [
        {
            "path": path_text(each.path),
            "value": secrets.shown(each.path, each.value),
            "file": each.place and each.place.source,
            "line": each.place and each.place.line,
        }
        for each in found
    ]
    if form == "json":
        data = {"version": source.version, "overrides": rows}
        click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))
    elif not rows:
        click.echo("no overrides")
    else:
        for row, each in zip(rows, found, strict=True):
            text = json.dumps(row["value"], ensure_ascii=False, default=str)
            where = f"  ({each.place})" if each.place else ""
            click.echo(plain(f"{row['path']} = {text}{where}", 1000))
    if secrets.why:
        msg = f"values are hidden, since secrets cannot be told: {secrets.why}"
        click.echo(f"warning: {plain(msg)}", err=True)


class _Secrets:
    """Tells which values are secret: those that the plugins make one of."""

    def __init__(self, source: OverridesSource) -> None:
        self.why = ""
        self._tree: dict[str, Any] | None = None
        try:
            self._tree = tree_of(Runtime(source).read()[0])
        except InvalidConfigurationError as exc:
            self.why = str(exc)

    def shown(self, path: tuple[str, ...], value: Any) -> Any:
        """Return a value as it may be shown."""
        if self._tree is None:
            return "********"
        try:
            return _masked(value, value_at(self._tree, path))
        except KeyError:
            return value


def _masked(value: Any, seen: Any) -> Any:
    """Put a secret in the place of what became one."""
    if isinstance(seen, Secret):
        return str(seen)
    if isinstance(value, tuple | list) and isinstance(seen, tuple | list):
        return [_masked(*pair) for pair in zip(value, seen, strict=False)]
    return value


def _author() -> str:
    """Return `user@host`, as well as it can be told."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
