"""`midflight check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from midflight import Document, Secret
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._text import json_text, plural


def check(sources: Sources, form: str) -> int:
    """Write every fault, or that there is none.

    With secrets there is no digest: without a state directory it tells nothing.

    Raises:
        SourceUnavailableError: if there is nothing to check.
    """
    runtime = sources.runtime()
    faults = runtime.check()
    document = None if faults else runtime.read()[0]
    digest = document.digest if document and not _has_secrets(document) else None
    if document and form != "json":
        modules = plural(len(document.modules), "module")
        click.echo(f"ok: {modules}" + (f", digest {digest[:12]}" if digest else ""))
        return Exit.OK
    from midflight_plugins.cli import _faults

    if form == "json":
        data = {
            "ok": not faults,
            "modules": len(document.modules) if document else None,
            "digest": digest,
            "faults": _faults.as_data(faults),
        }
        click.echo(json_text(data))
    elif form == "github":
        click.echo(_faults.as_github(faults))
    else:
        click.echo(_faults.as_text(faults))
    return Exit.INVALID if faults else Exit.OK


def _has_secrets(document: Document) -> bool:
    """Tell whether its digest is another one in each process."""
    modules = document.modules.values()
    parts = [part for module in modules for part in (module.config, module.extra)]
    return any(map(_holds, (document.sections, *parts)))


def _holds(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds, value))
    return isinstance(value, Secret)
