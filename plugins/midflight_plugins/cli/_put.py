"""`midflight put` and `midflight rollback`: what makes a new version."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Iterable
from typing import Any

import click

from midflight import Fault, Loaded, Runtime
from midflight.errors import Code, InvalidConfigurationError, dotted
from midflight_plugins.cli._faults import as_warnings
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._passwords import redacted
from midflight_plugins.cli._text import json_text, printable
from midflight_plugins.cli._versions import (
    Fixed,
    document_of,
    head,
    read,
    stored,
    version_of,
    writable,
)

_STDIN = "<stdin>"
_FEW = 5  # names that a warning lists
_ELSEWHERE = frozenset(
    {
        Code.E_MODULETYPE,
        Code.E_PLUGIN,
        Code.E_PLUGIN_API,
        Code.E_DUPLUGIN,
        Code.E_DEPENDENCY,
    }
)
"""What is amiss with the plugins of this host, not with the configuration."""


def put(
    uri: str,
    given: Sources,
    *,
    message: str,
    expect: str | None,
    author: str | None,
    check: bool,
    form: str,
) -> None:
    """Store a configuration as a new version.

    Args:
        uri: where.
        given: what; the URI `-` is YAML from standard input.
        message: why.
        expect: the version it is based on, or `none`; by default the head.
        author: who puts it.
        check: whether faults that modules find refuse it.
        form: `text` or `json`.

    Raises:
        InvalidConfigurationError: if it is wrong.
        MidflightError: if it is not stored, or nobody can tell.
    """
    target = writable(uri, given.allowed)
    content = _read(target, given)
    loaded, faults = _checked(given, content, check=check)
    _store(target, uri, loaded, expect, author, message, form)
    _warn(faults)


def _checked(
    given: Sources, content: Loaded | InvalidConfigurationError, *, check: bool
) -> tuple[Loaded, tuple[Fault, ...]]:
    """Return content that may be stored, with the faults to warn of.

    Raises:
        InvalidConfigurationError: if it is no document or has no order to start in,
            or, with `check`, if a module installed here refuses it.
    """
    fixed = Fixed(str(given.uris[0]), content)
    faults = Runtime(
        fixed, modules=given.types(), plugins=given.allowed, registry=given.registry()
    ).check()
    # What could not be read has faults, whatever modules would say.
    if isinstance(content, InvalidConfigurationError):
        raise InvalidConfigurationError(faults)
    ours = [fault for fault in faults if fault.code not in _ELSEWHERE]
    if ours and check:
        raise InvalidConfigurationError(ours)
    assert document_of(content).build_order is not None  # raises if there is none
    return content, faults


def rollback(
    version: str,
    given: Sources,
    *,
    message: str | None,
    expect: str | None,
    author: str | None,
    check: bool,
    form: str,
) -> None:
    """Store an old version once more, as the newest.

    Raises:
        MissingVersionError: if it is not kept.
        InvalidConfigurationError: if it is wrong by what is installed now.
        MidflightError: if it is not stored, or nobody can tell.
    """
    uri = str(given.uris[0])
    target = writable(uri, given.allowed)
    old = read(target, uri, version_of(version))
    loaded, faults = _checked(given, old, check=check)
    why = f"roll back to version {version}" if message is None else message
    _store(target, uri, loaded, expect, author, why, form)
    _warn(faults)


def _store(
    target: Runtime,
    uri: str,
    loaded: Loaded,
    expect: str | None,
    author: str | None,
    message: str,
    form: str,
) -> None:
    """Put a document on top of the version it is based on, and say what came of it."""
    base = head(target) if expect is None else _expected(target, uri, expect)
    who = author if author is not None else default_author()
    put_as: dict[str, Any] = {"expected": base, "author": who, "message": message}
    version, changed = stored(target, uri, loaded, **put_as)
    digest = document_of(loaded).digest
    if form == "json":
        data = {"version": version, "changed": changed, "digest": digest}
        click.echo(json_text(data))
    elif changed:
        click.echo(f"version {version}: digest {digest[:12]}")
    else:
        click.echo(f"unchanged: version {version} is the same, digest {digest[:12]}")


def _expected(target: Runtime, uri: str, word: str) -> str | int | None:
    """Return the version that `--expect` means.

    Raises:
        click.UsageError: if it cannot be one.
    """
    version = None if word == "none" else version_of(word)
    if isinstance(version, str) and isinstance(head(target), int):
        msg = f"--expect {word}: a version of {redacted(uri)} is a number, or `none`"
        raise click.UsageError(msg)
    return version


def _read(target: Runtime, given: Sources) -> Loaded | InvalidConfigurationError:
    """Read what shall be stored, or return what is wrong with it."""
    try:
        if given.uris == ("-",):
            return target.parse(sys.stdin.buffer.read(), "yaml", _STDIN)
        return given.runtime().read()[1]
    except InvalidConfigurationError as exc:
        return exc


def _warn(faults: Iterable[Fault]) -> None:
    """Name what is stored all the same; once for all modules of one type."""
    unknown: dict[str, list[str]] = {}
    known = []
    for fault in faults:
        if fault.code in _ELSEWHERE:
            unknown.setdefault(fault.message, []).append(dotted(fault.path[1:2]))
        else:
            known.append(fault)
    if known:
        click.echo(as_warnings(known), err=True)
    word = click.style("warning", fg="yellow", bold=True)
    for message, names in unknown.items():
        more = f" and {len(names) - _FEW} more" if names[_FEW:] else ""
        which = f"not checked: {', '.join(names[:_FEW])}{more}"
        click.echo(f"{word}: {printable(f'{message}; {which}')}", err=True)


def default_author() -> str:
    """Return `user@host`, as well as it can be told."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
