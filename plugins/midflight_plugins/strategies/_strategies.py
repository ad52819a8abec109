"""Decide what a change needs."""

from __future__ import annotations

from midflight import Change, Plan, Reconfigure, Restart, Start, Stop, hookimpl
from midflight.errors import Code


class Surgical:
    """Touch what changed and what depends on it, and nothing else.

    Starts what was added, stops what was removed, reconfigures what changed and can,
    restarts what cannot, with its dependents. A changed section touches the modules
    that declare it; one that nobody reads means a full reload.
    """

    @hookimpl
    def on_change(self, change: Change) -> Plan:
        """Return the smallest plan that makes the change true."""
        diff = change.diff
        steps: dict[str, Start | Stop | Reconfigure | Restart] = {}
        for name in diff.removed:
            steps[name] = Stop(name, "removed")
        for name in diff.added:
            steps[name] = Start(name, "added")
        for name in diff.modified:
            steps[name] = self._modified(change, name)
        for section in diff.sections:
            readers = change.readers(section)
            if not readers and section not in change.read_sections:
                return Plan.full(diff, f"section `{section}` changed and none reads it")
            for name in readers:
                if name in diff.new.modules and name not in steps:
                    kind = Reconfigure if change.can_reconfigure(name) else Restart
                    reason = f"reads section `{section}`"
                    steps[name] = kind(name, reason, (section,))
        anew = [name for name, step in steps.items() if isinstance(step, Restart)]
        for name in change.dependents(anew):
            if not isinstance(steps.get(name), Start | Restart):
                steps[name] = Restart(name, "depends on a restarted module")
        return Plan(tuple(steps.values()), reason="surgical")

    @staticmethod
    def _modified(change: Change, name: str) -> Reconfigure | Restart:
        paths = change.diff.paths(name)
        if change.can_reconfigure(name):
            return Reconfigure(name, "configuration changed", paths)
        old, new = change.diff.module(name)
        if old and new and old.type != new.type:
            return Restart(name, f"type changed from {old.type} to {new.type}", paths)
        if old and new and old.depends_on != new.depends_on:
            return Restart(name, "dependencies changed", paths)
        return Restart(name, "it cannot be reconfigured", paths)


class Full:
    """Restart everything at every change."""

    @hookimpl
    def on_change(self, change: Change) -> Plan:
        """Return the full plan."""
        return Plan.full(change.diff)


class Partial:
    """The rule of the original design.

    Only modules modified, and all of them able to reconfigure: reconfigure those.
    Anything else, a section, an added or a removed module, one that refuses: a full
    reload.
    """

    @hookimpl
    def on_change(self, change: Change) -> Plan:
        """Return reconfigurations alone, or the full plan."""
        diff = change.diff
        if diff.sections:
            return Plan.full(diff, f"section `{diff.sections[0]}` changed")
        if diff.added or diff.removed:
            return Plan.full(diff, "modules were added or removed")
        for name in diff.modified:
            if not change.can_reconfigure(name):
                return Plan.full(diff, f"`{name}` cannot be reconfigured")
        steps = (
            Reconfigure(name, "configuration changed", diff.paths(name))
            for name in diff.modified
        )
        why = "only reconfigurable modules changed"
        otherwise = Plan.full(diff, "a module did not take its change in place")
        return Plan(tuple(steps), reason=why, fallback=otherwise)


class Hold:
    """Make the surgical plan and wait for `Runtime.approve`."""

    @hookimpl
    def on_change(self, change: Change) -> Plan:
        """Return the surgical plan, held."""
        steps = Surgical().on_change(change).steps
        return Plan.hold(steps, "every change waits for approval")


class Guarded:
    """The surgical plan, but no change that removes more than half of the modules.

    For configuration that a machine writes: an empty or truncated result is refused.
    """

    @hookimpl
    def on_change(self, change: Change) -> Plan:
        """Return the surgical plan, or a refusal with `E_BLAST`."""
        gone, had = len(change.diff.removed), len(change.diff.old.modules)
        if gone * 2 > had:
            why = f"removes {gone} of {had} modules; remove fewer at once"
            return Plan.refuse(why, Code.E_BLAST)
        return Surgical().on_change(change)
