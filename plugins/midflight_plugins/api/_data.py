"""Outcomes, faults, plans, differences and versions as plain data, secrets masked.

Every answer is made here or of what is made here, so that none shows a secret, nor a
path of this host: a file is called by its name, or as the settings call it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from midflight import Secret
from midflight.errors import dotted

if TYPE_CHECKING:
    from midflight import Diff, Fault, Outcome, Place, Plan
    from midflight.hookspecs import Version

MASK = str(Secret(""))
_MOST = 1_000  # steps or changes that one answer lists
_PATH = re.compile(r"(?<![\w./])/(?:[^\s/:`'\"]+/)+")


def public(text: str) -> str:
    """Return a text in which each absolute path is only the name that it ends with."""
    return _PATH.sub("", text)


def plain_data(value: Any) -> Any:
    """Return a value of a document as JSON can hold it, secrets masked.

    Args:
        value: as `transform` left it.
    """
    if isinstance(value, Mapping):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(item) for item in value]
    is_plain = value is None or isinstance(value, str | bool | int)
    if is_plain or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)  # a `Secret` hides itself


def fault_data(fault: Fault) -> dict[str, Any]:
    """Return a fault as data."""
    return {
        "code": str(fault.code),
        "message": public(fault.message),
        "path": dotted(fault.path),
        **place_data(fault.place),
        "found": public(fault.found),
        "expected": public(fault.expected),
        "hint": public(fault.hint),
    }


def place_data(place: Place | None) -> dict[str, Any]:
    """Return a place as data."""
    return {
        "file": place and file_of(place.source),
        "line": place and place.line,
        "column": place and place.column,
        "layer": (place and public(place.layer)) or None,
    }


def file_of(source: str) -> str:
    """Return the name of a source that may be a file."""
    return PurePath(source).name if source.startswith("/") else public(source)


def public_data(value: Any) -> Any:
    """Return plain data in which no text has an absolute path."""
    if isinstance(value, str):
        return public(value)
    if isinstance(value, Mapping):
        return {key: public_data(each) for key, each in value.items()}
    return list(map(public_data, value)) if isinstance(value, list | tuple) else value


def status_data(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status of a runtime without paths of this host.

    Args:
        status: as `Runtime.status` tells it.
    """
    words = ("rejected", "sources", "notes")
    return {**status, **{word: public_data(status[word]) for word in words}}


def outcome_data(outcome: Outcome, most: int = _MOST) -> dict[str, Any]:
    """Return an outcome as data.

    Args:
        outcome: how an attempt ended.
        most: how many steps, faults, times and warnings are listed of each.
    """
    steps = outcome.plan.steps if outcome.plan else ()
    took = itertools.islice(outcome.took.items(), most)
    return {
        "outcome": outcome.name,
        "reason": str(outcome.reason),
        "cause": outcome.cause,
        "actor": outcome.actor,
        "generation": outcome.generation,
        "digest": outcome.digest,
        "base": outcome.base,
        "steps": [
            {"action": step.action, "module": step.module} for step in steps[:most]
        ],
        "steps_total": len(steps),
        "faults": [fault_data(fault) for fault in outcome.faults[:most]],
        "faults_total": len(outcome.faults),
        "degraded": list(outcome.degraded[:most]),
        "warnings": list(map(public, outcome.warnings[:most])),
        "took": dict(took),
        "at": outcome.at,
        "seconds": outcome.seconds,
        "transient": outcome.transient,
    }


def plan_data(plan: Plan) -> dict[str, Any]:
    """Return a plan as data."""
    return {
        "verdict": str(plan.verdict),
        "reason": plan.reason,
        "code": str(plan.code) if plan.verdict == "refuse" else None,
        "steps": [
            {
                "action": step.action,
                "module": step.module,
                "reason": step.reason,
                "paths": list(step.paths[:_MOST]),
            }
            for step in plan.steps[:_MOST]
        ],
        "steps_total": len(plan.steps),
    }


def diff_data(diff: Diff) -> dict[str, Any]:
    """Return what differs between two documents as data.

    Args:
        diff: of two documents as `transform` left them: a raw one shows its secrets.
    """
    names = {
        side: list(getattr(diff, side)[:_MOST])
        for side in ("added", "removed", "modified", "sections")
    }
    totals = {side: len(getattr(diff, side)) for side in names}
    changes = [
        {"path": dotted(each.path), **plain_data(each.sides)}
        for each in itertools.islice(diff.key_changes(), _MOST)
    ]
    return {**names, "totals": totals, "changes": changes}


def version_data(version: Version) -> dict[str, Any]:
    """Return a stored version as data."""
    return {
        "version": version.version,
        "digest": version.digest,
        "author": version.author,
        "message": version.message,
        "at": version.at,
    }
