"""Logs how each attempt to change the configuration ended, each thing once."""

from __future__ import annotations

import logging
import re
import shlex

from midflight import Applied, Held, Outcome, Plan, Runtime, Unchanged, hookimpl
from midflight.errors import plain

_log = logging.getLogger("midflight")
_SHOWN = 8  # steps named in one line
_MOST = 24  # characters of a version
_HASH = re.compile(r"\b(\w{12})\w{13,}\b")  # the beginning tells it from others


class OutcomeLog:
    """Says what is new: a failure that repeats at every retry is said once.

    Other content that fails for the same reasons has one short line.
    """

    def __init__(self) -> None:
        self._said = self._digest = ""

    @hookimpl
    def on_outcome(self, outcome: Outcome, runtime: Runtime) -> None:
        """Write one line for a success, and every fault of a failure."""
        level, text = logging.INFO, ""
        if isinstance(outcome, Applied):
            version = _version(outcome, runtime)
            text = f"generation {outcome.generation} applied{version}: "
            text += _steps(outcome.plan)
            if outcome.reason == "recalled":
                level, text = logging.WARNING, f"{text}; this is the last good one"
        elif isinstance(outcome, Unchanged):
            text = "healthy again on the running configuration" if outcome.ok else ""
            # A layer that goes down changes nothing either; its source says so.
            text = text if runtime.status()["state"] == "healthy" else ""
        elif isinstance(outcome, Held):
            text = f"held, {outcome.reason}: {_steps(outcome.plan)}"
            text += _awaited(outcome.plan, runtime)
        elif outcome.reason == "source_unavailable" and not outcome.generation:
            # Not an error yet: `Runtime(wait=…)` may wait for it.
            level = logging.WARNING
            why = "; ".join(fault.message for fault in outcome.faults)
            text = f"not there yet: {why}"
        else:
            level = logging.ERROR
            faults = "".join(f"\n  {fault}" for fault in outcome.faults)
            stays = "; the running configuration stays" if outcome.generation else ""
            if outcome.degraded:
                stays = f"; not brought back: {', '.join(outcome.degraded)}"
            text = f"{outcome.name}, {outcome.reason}{stays}"
            text += f":{faults}" if faults else ""
            if text == self._said and outcome.digest != self._digest:
                _log.error(
                    "still %s, %s: other content, same reason",
                    outcome.name,
                    outcome.reason,
                )
            self._digest = outcome.digest
        if text and (isinstance(outcome, Applied) or text != self._said):
            self._said = text
            _log.log(level, "%s", text)


def _version(outcome: Outcome, runtime: Runtime) -> str:
    """Return the source's version of what is in force, if it counts them."""
    snapshot = runtime.snapshot
    is_it = snapshot.generation == outcome.generation
    known = is_it and snapshot.version is not None
    marks = str(snapshot.version).split(", ")  # one for each layer, `name@version`
    return f" (version {', '.join(map(_short, marks))})" if known else ""


def _short(mark: str) -> str:
    """Shorten a version that is a hash, or long in another way."""
    name, at, version = mark.rpartition("@")
    if len(version) > _MOST:
        version = _HASH.sub(r"\1", version)
    if len(version) > _MOST:
        version = f"{version[: _MOST - 1]}…"
    return f"{name}{at}{version}"


def _awaited(plan: Plan | None, runtime: Runtime) -> str:
    """Say why a plan is held, and how it is approved; without one nothing is held."""
    if plan is None:
        return ""
    how = "`Runtime.approve()`, or SIGUSR1 to `midflight run`"
    if runtime.state_dir is not None:
        where = shlex.quote(str(runtime.state_dir.absolute()))
        how = f"`midflight apply --state-dir {plain(where, len(where))}`"
    why = f" ({plain(plan.reason)})" if plan.reason else ""
    return f"{why}; approve it with {how}"


def _steps(plan: Plan | None) -> str:
    steps = plan.steps if plan else ()
    named = ", ".join(f"{step.action} {step.module}" for step in steps[:_SHOWN])
    more = f", and {len(steps) - _SHOWN} more" if len(steps) > _SHOWN else ""
    return f"{named}{more}" or "no module touched"
