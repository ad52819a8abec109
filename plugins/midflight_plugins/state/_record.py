"""What the journal says of one decision: names, never values."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import Any

import attrs

from midflight import Applied, Diff, Document, Failed, Outcome, RolledBack
from midflight.errors import dotted, plain

_FAULTS, _LONGEST = 20, 500  # of what others write down; characters
_NAMES = 100  # modules, sections and paths that are named in one list


def record_of(
    outcome: Outcome, diff: Diff | None, source: str, version: str | int | None
) -> dict[str, Any]:
    """Return the record of one decision.

    Args:
        outcome: the decision.
        diff: what it was about, if there was a document.
        source: the name of the source.
        version: the source's own mark of what is in force.
    """
    return {
        "at": outcome.at,
        "cause": outcome.cause,
        "actor": outcome.actor,
        "base": outcome.base,
        "digest": outcome.digest,
        "generation": outcome.generation,
        "outcome": outcome.name,
        "reason": str(outcome.reason),
        "seconds": round(outcome.seconds, 6),
        "changes": changes(diff) if diff else None,
        "steps": _steps(outcome),
        "faults": [
            {"code": str(fault.code), "text": str(fault)} for fault in outcome.faults
        ],
        "warnings": list(outcome.warnings),
        "degraded": list(outcome.degraded),
        "source": source,
        "version": version,
    }


def record_of_crash(crash: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """Return the record of an attempt that ended its process.

    Args:
        crash: what its marker says, and how many there were.
        limit: how many make that nobody tries it again.
    """
    text = f"the process ended in the middle of applying this, {crash['count']} of"
    fault = {"code": "E_STATE", "text": f"E_STATE: {text} {limit} times"}
    return {
        "at": time.time(),
        "cause": "",
        "actor": "",
        "base": "",
        "digest": str(crash["digest"]),
        "generation": crash.get("generation"),
        "outcome": "crashed",
        "reason": "process_ended",
        "seconds": 0.0,
        "changes": None,
        "steps": [],
        "faults": [fault],
        "warnings": [],
        "degraded": [],
        "source": "",
        "version": None,
    }


def record_of_note(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of something that was decided outside the core.

    Args:
        entry: `outcome`, `reason`, `actor`, `cause`, and `faults` as `{code, text}`;
            what is too long is cut.
    """
    words = ("cause", "actor", "outcome", "reason")
    faults = [
        {key: _cut(each.get(key)) for key in ("code", "text")}
        for each in itertools.islice(entry.get("faults", ()), _FAULTS)
    ]
    return {
        "at": time.time(),
        **{word: _cut(entry.get(word)) for word in words},
        "base": "",
        "digest": "",
        "generation": None,
        "seconds": 0.0,
        "changes": None,
        "steps": [],
        "faults": faults,
        "warnings": [],
        "degraded": [],
        "source": "",
        "version": None,
    }


def _cut(value: object) -> str:
    return plain("" if value is None else str(value), _LONGEST)


def changes(diff: Diff) -> dict[str, Any]:
    """Name what differs: modules, sections, and the paths of changed values."""
    kept = attrs.evolve(diff, added=(), removed=())
    paths = [dotted(each.path) for each in itertools.islice(kept.key_changes(), _NAMES)]
    names = {
        side: list(getattr(diff, side)[:_NAMES])
        for side in ("added", "removed", "modified", "sections")
    }
    counts = {side: len(getattr(diff, side)) for side in names}
    return {**names, "paths": paths, "counts": counts}


def between(old: Document, new: Document | None) -> Diff | None:
    """Compare two documents, if there are two."""
    return None if new is None else Diff.between(old, new)


def _steps(outcome: Outcome) -> list[dict[str, Any]]:
    """Return each step of the plan, how it ended and how long it took."""
    heads = [fault.path[:2] for fault in outcome.faults]
    failed = {path[1] for path in heads if len(path) > 1 and path[0] == "modules"}
    return [
        {
            "action": step.action,
            "module": step.module,
            "reason": step.reason,
            "result": _result(outcome, step.module, is_failed=step.module in failed),
            "seconds": round(outcome.took.get(step.module, 0.0), 6),
        }
        for step in (outcome.plan.steps if outcome.plan else ())
    ]


def _result(outcome: Outcome, module: str, *, is_failed: bool) -> str:
    if isinstance(outcome, Applied):
        return "done"
    if is_failed:
        return "failed"
    if isinstance(outcome, RolledBack | Failed) and module in outcome.took:
        return "lost" if module in outcome.degraded else "undone"
    return "not begun"
