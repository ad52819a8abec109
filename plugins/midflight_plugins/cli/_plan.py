"""`midflight plan`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from midflight import Document, Plan, Runtime
from midflight.errors import InvalidConfigurationError
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._text import json_text, plural, printable, table

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
    data = _data(found)
    click.echo(json_text(data) if form == "json" else steps_text(data, strategy))
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


def steps_text(found: Mapping[str, Any], who: str) -> str:
    """Write the steps of a plan.

    Args:
        found: the plan as data.
        who: the name of the strategy.
    """
    verdict, reason = found.get("verdict"), str(found.get("reason") or "")
    if verdict == "refuse":
        return f"{who}: refused [{found.get('code')}]: {printable(reason)}"
    reason = f"held, {reason}" if verdict == "hold" else reason
    head = who if reason in {who, ""} else f"{who}: {printable(reason)}"
    steps = found.get("steps") or ()
    if not steps:
        return f"{head}: no module is touched"
    rows = []
    for number, step in enumerate(steps, 1):
        action = click.style(step["action"], fg=_COLOURS.get(step["action"]))
        rows.append((f"{number:>3}", action, step["module"], step.get("reason", "")))
        rows += [("", "", "", path) for path in step.get("paths", ())]
    total = int(found.get("steps_total") or len(steps))
    return f"{head}\n\n{table(rows)}\n\n{plural(total, 'step')}"
