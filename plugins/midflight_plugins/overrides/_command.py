"""What the subcommands of `midflight override` do."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from midflight import Fault, Place
from midflight.errors import (
    Code,
    InvalidConfigurationError,
    MidflightError,
    SourceUnavailableError,
    dotted,
    plain,
)
from midflight_plugins.overrides._change import ANY, Nobody, RefusedError, Written
from midflight_plugins.overrides._clear import Only, Secrets, is_in_clear
from midflight_plugins.overrides._edit import Tree, keys_of
from midflight_plugins.overrides._planned import (
    UNSET,
    Edit,
    Head,
    Look,
    Planned,
    unlooked,
)
from midflight_plugins.overrides._process import Process
from midflight_plugins.overrides._settings import STORE, state_dir, store_uri
from midflight_plugins.overrides._source import OverridesSource
from midflight_plugins.overrides._store import uri_of

_APPLY_FAILED = 4  # exit code
_NOBODY = (FileNotFoundError, NotADirectoryError, ConnectionRefusedError)
STATES = {
    "applied": "applied as generation {0}",
    "held": "stored; it waits for an approval",
    "stored": "stored, not yet applied; a running service applies it by its own watch",
}


def value_of(word: str, *, as_text: bool) -> Any:
    """Read a value: JSON if it is, else text; `-` stands for the standard input."""
    if word == "-":
        word = sys.stdin.read().removesuffix("\n")
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
            f"give a --store URI, or set {STORE}, or name a `store` in the section "
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
    folder: str | None,
    expect: str | None,
    author: str | None,
    message: str,
    form: str,
) -> int:
    """Make one change, say what became of it, and return the exit code.

    Args:
        path: where.
        value: what to set, or `UNSET`.
        store: where overrides are kept; by default as the settings say.
        folder: the state directory of a process that must answer; by default that of
            the settings is asked, if one answers there.
        expect: the version that the store has to be at.
        author: who makes it.
        message: why.
        form: `text` or `json`.

    Raises:
        click.ClickException: if nothing is set there.
        MidflightError: if it is refused, or does not fit, or is not stored.
    """
    edit, source = Edit(keys_of(path), value), opened(store)
    process, has_store = _process(folder, source)  # before anything is stored
    asked = process if has_store else None
    who = _author() if author is None else author
    told = asked.state_dir if asked else None
    if not asked:
        edit = attrs.evolve(edit, look=_look(edit))
    writer = source.writer(asked or Nobody(), who, message, told)
    expected: Any = ANY if expect is None else None if expect == "none" else expect
    try:
        written = writer.write(edit, expected)
    except KeyError:
        msg = f"nothing is set at {dotted(edit.keys)}"
        raise click.ClickException(msg) from None
    except RefusedError as exc:
        if exc.ended == "rejected":
            raise
        _say_failed(exc)
        return _APPLY_FAILED
    _say(edit, written, form, source)
    if is_in_clear(edit):
        _warn(
            f"{dotted(edit.keys)} looks secret and is stored in clear; set a "
            "reference instead, such as '${file:/run/secrets/name}'"
        )
    is_stored = written.state == "stored"
    if process and is_stored and not (asked and asked.has_store()):
        _warn(
            f"the service in {process.state_dir} was not asked: no layer of it holds "
            f"{source.name}"
        )
    return 0


def _look(edit: Edit) -> Look:
    """Return what refuses an override that does not fit, where nobody else can.

    It is checked with the configuration that the settings name, if they name one.
    """
    ctx = click.get_current_context(silent=True)
    checked = getattr(ctx.find_root().obj if ctx else None, "checked", None)

    def look(head: Head, tree: Tree) -> None:
        after = _faults(checked, tree)
        before = _faults(checked, head.tree) if after else ()
        if brought := Planned(tree, (edit,)).brought(after, before):
            raise InvalidConfigurationError(brought)

    return look if checked else unlooked


def _faults(checked: Any, tree: Tree) -> tuple[Fault, ...]:
    """Return what is wrong with a configuration; nothing if it cannot be read here."""
    try:
        found: tuple[Fault, ...] = checked(Only(tree))
    except MidflightError:
        return ()
    return tuple(fault for fault in found if not _may_be_there(fault, tree))


def _may_be_there(fault: Fault, tree: Tree) -> bool:
    """Tell whether a text refers to what is not here, but may be at the service."""
    if fault.code not in {Code.E_ENV, Code.E_SECRET}:
        return False
    value: Any = tree
    with contextlib.suppress(LookupError, TypeError):
        for key in fault.path:
            value = value[key]
    return isinstance(value, str)


def _process(
    folder: str | None, source: OverridesSource
) -> tuple[Process | None, bool]:
    """Return the process to look at, and whether it may have the store as a layer.

    There is none if the settings lead to none that runs.

    Raises:
        SourceUnavailableError: the one that was named does not answer, or the other
            one lives and does not.
    """
    found = folder or state_dir()
    if not found:
        return None, False
    process = Process(Path(found), source)
    try:
        return process, process.has_store()
    except SourceUnavailableError as exc:
        if folder or not isinstance(exc.__cause__, (*_NOBODY, PermissionError)):
            raise
        if isinstance(exc.__cause__, PermissionError):
            _warn(f"the process in {found} is not asked: permission denied")
        return None, False


def _warn(text: str) -> None:
    click.echo(f"warning: {plain(text)}", err=True)


def _say(edit: Edit, written: Written, form: str, source: OverridesSource) -> None:
    value = edit.value
    shown = {} if value is UNSET else {"value": Secrets(source).shown(edit.keys, value)}
    data = {
        "path": dotted(edit.keys),
        **shown,
        "version": written.version,
        "changed": written.changed,
        "state": written.state,
        "generation": written.generation or None,
        "standing": [str(fault) for fault in written.standing],
    }
    say(data, form)


def say(data: Mapping[str, Any], form: str) -> None:
    """Write what became of a change."""
    if form == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))
        return
    text = STATES[data["state"]].format(data["generation"])
    if data["standing"]:
        text = "stored; the service is still rejected because of:"
    same = "" if data["changed"] else "no change: "
    click.echo(f"{same}version {_short(data['version'])}: {text}")
    for fault in data["standing"]:
        click.echo(f"  {plain(fault, 1000)} (was there before)")


def _say_failed(error: RefusedError) -> None:
    """Write why a module did not take a change, as other commands write faults.

    No line of a file is shown: the override is no longer there.
    """
    for fault in error.faults:
        code = click.style(f"error[{fault.code}]", fg="red", bold=True)
        click.echo(f"{code}: {click.style(plain(fault.message), bold=True)}", err=True)
        notes = {
            "at": dotted(fault.path),
            "found": fault.found,
            "expected": fault.expected,
            "hint": fault.hint,
        }
        for name, note in notes.items():
            if note:
                bar = click.style("=", fg="blue", bold=True)
                click.echo(f"  {bar} {name + ':':<9} {plain(note)}", err=True)
    for line in (
        f"the change ended as {error.ended}",
        *getattr(error, "__notes__", ()),
    ):
        click.echo(plain(line, 1000), err=True)


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
    found, secrets = source.list(), Secrets(source)
    rows = [
        {
            "path": dotted(each.path),
            "value": secrets.shown(each.path, each.value),
            "file": each.place and each.place.source,
            "line": each.place and each.place.line,
            "column": each.place and each.place.column,
        }
        for each in found
    ]
    say_list({"version": source.version, "overrides": rows}, form)
    if secrets.why:
        msg = f"values are hidden, since secrets cannot be told: {secrets.why}"
        _warn(msg)


def say_list(data: Mapping[str, Any], form: str) -> None:
    """Write overrides, each with its place."""
    if form == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))
    elif not data["overrides"]:
        click.echo("no overrides")
    else:
        for row in data["overrides"]:
            text = json.dumps(row["value"], ensure_ascii=False, default=str)
            place = row["file"] and Place(row["file"], row["line"], row["column"])
            where = f"  ({place})" if place else ""
            click.echo(plain(f"{row['path']} = {text}{where}", 1000))


def _author() -> str:
    """Return `user@host`, as well as it can be told."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
