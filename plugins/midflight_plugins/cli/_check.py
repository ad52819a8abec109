"""`midflight check`."""

from __future__ import annotations

import click

from midflight_plugins.cli import _faults
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._text import json_text, plural


def check(sources: Sources, form: str) -> int:
    """Write every fault, or that there is none.

    Raises:
        SourceUnavailableError: if there is nothing to check.
    """
    runtime = sources.runtime()
    faults = runtime.check()
    document = None if faults else runtime.read()[0]
    if form == "json":
        data = {
            "ok": not faults,
            "modules": len(document.modules) if document else None,
            "digest": document.digest if document else None,
            "faults": _faults.as_data(faults),
        }
        click.echo(json_text(data))
    elif document:
        modules = plural(len(document.modules), "module")
        click.echo(f"ok: {modules}, digest {document.digest[:12]}")
    elif form == "github":
        click.echo(_faults.as_github(faults))
    else:
        click.echo(_faults.as_text(faults))
    return Exit.INVALID if faults else Exit.OK
