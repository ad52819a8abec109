"""`midflight plan`."""

from __future__ import annotations

from typing import Any

import click

from midflight import Document, Plan, Runtime
from midflight.errors import InvalidConfigurationError
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._text import json_text, plural, table

_COLOURS = {"start": "green", "stop": "red", "reconfigure": "cyan", "restart": "yellow"}


def plan(old: Sources, new: Sources, strategy: str, form: str) -> int:
    """Write the steps from one source's configuration to another's.

    Raises:
        InvalidConfigurationError: with the faults of either.
        SourceUnavailableError: if one cannot be read.
    """
    base = _checked(old.runtime())
    runtime = new.runtime(strategy=strategy)
    wanted = _checked(runtime)
    found = runtime.plan(wanted, base=base)
    if base == wanted:
        found = Plan(reason="no difference")
    click.echo(json_text(_data(found)) if form == "json" else _text(found, strategy))
    return Exit.INVALID if found.verdict == "refuse" else Exit.OK


def _checked(runtime: Runtime) -> Document:
    faults = runtime.check()
    if faults:
        raise InvalidConfigurationError(faults)
    return runtime.read()[0]


def _data(found: Plan) -> dict[str, Any]:
    return {
        "verdict": str(found.verdict),
        "reason": found.reason,
        "code": str(found.code) if found.verdict == "refuse" else None,
        "steps": [
            {
                "action": step.action,
                "module": step.module,
                "reason": step.reason,
                "paths": list(step.paths),
            }
            for step in found.steps
        ],
    }


def _text(found: Plan, strategy: str) -> str:
    if found.verdict == "refuse":
        return f"{strategy}: refused [{found.code}]: {found.reason}"
    verdict = "held, " if found.verdict == "hold" else ""
    reason = f"{verdict}{found.reason}"
    head = strategy if reason == strategy else f"{strategy}: {reason}"
    if not found.steps:
        return f"{head}: no module is touched"
    rows = []
    for number, step in enumerate(found.steps, 1):
        action = click.style(step.action, fg=_COLOURS[step.action])
        rows.append((f"{number:>3}", action, step.module, step.reason))
        rows += [("", "", "", path) for path in step.paths]
    return f"{head}\n\n{table(rows)}\n\n{plural(len(found.steps), 'step')}"
