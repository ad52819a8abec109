"""`midflight plugins`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from midflight import PluginRegistry
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._installed import REASON, damaged
from midflight_plugins.cli._text import json_text, table

_FIELDS = ("role", "name", "distribution", "version", "target", "state", "reason")
_DAMAGED = {"state": "failed", "reason": REASON}
# Says why on the standard output that it was given; a plugin gets another one.
_TRY = """\
import json, os, sys
answer = os.dup(1)
os.dup2(2, 1)
sys.path[:], target = json.loads(sys.argv[1]), sys.argv[2]
from importlib.metadata import EntryPoint
try:
    EntryPoint("", target, "").load()
    said = "loaded"
except BaseException as exc:
    said = f"{type(exc).__name__}: {exc}"
os.write(answer, said.encode(errors="replace"))
os._exit(0)
"""


def plugins(
    registry: PluginRegistry, own: Collection[str], form: str, limit: float | None
) -> int:
    """Write every entry point that Midflight finds; return the exit code.

    Args:
        registry: where to find them; none is imported for that.
        own: the names of the built-in commands, which no plugin can have.
        form: `text` or `json`.
        limit: seconds that the import of each may take; `None` tries none.
    """
    rows = [
        {field: getattr(entry, field) for field in _FIELDS}
        for entry in registry.entries()
    ]
    for name, version in damaged():
        amiss = {"distribution": name, "version": version}
        rows.append(dict.fromkeys(_FIELDS, "") | amiss | _DAMAGED)
    for row in rows:
        if row["role"] == "command" and row["name"] in own:
            row |= {"state": "reserved", "reason": "the name of a built-in command"}
    failed = limit is not None and _tried(rows, limit)
    if form == "json":
        click.echo(json_text(rows))
    else:
        shown = [field for field in _FIELDS if any(row[field] for row in rows)]
        heads = [click.style(field.upper(), bold=True) for field in shown]
        click.echo(table([heads, *([row[field] for field in shown] for row in rows)]))
    return Exit.USAGE if failed else Exit.OK


def _tried(rows: list[dict[str, Any]], limit: float) -> bool:
    """Import what may be, and note how that went; tell whether one failed."""
    usable = [row for row in rows if row["state"] == "available"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda row: _answer(row["target"], limit), usable)
        for row, answer in zip(usable, answers, strict=True):
            row["state"] = "loaded" if answer == "loaded" else "failed"
            row["reason"] = "" if answer == "loaded" else answer
    return any(row["state"] == "failed" for row in usable)


def _answer(target: str, limit: float) -> str:
    """Import a target in another process; return `loaded`, or why it failed."""
    words = [sys.executable, "-Ic", _TRY, json.dumps(sys.path), target]
    try:
        done = subprocess.run(  # noqa: S603  # our own words, and no shell
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its import takes more than {limit:g} s"
    said = done.stdout.decode(errors="replace")
    return said or f"its import ended the process, status {done.returncode}"
