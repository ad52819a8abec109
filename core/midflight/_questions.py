"""Answers to questions about what runs, and about what would."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import attrs

from midflight._document import Document
from midflight._driver import Steps, drive_here
from midflight._engine import Engine, Running, Snapshot
from midflight._plan import Plan
from midflight._reading import every_fault, faults_in, loaded_from, transformed
from midflight._stored import Stored
from midflight.errors import (
    Fault,
    InvalidConfigurationError,
    MidflightError,
    SourceUnavailableError,
)
from midflight.hookspecs import Loaded


class Questions(Stored):
    """The part of `Runtime` that answers, and changes nothing."""

    def status(self) -> dict[str, Any]:
        """Return what is in force, wanted and refused, as plain data."""
        attempts, snapshot = self._reloader.attempts, self._engine.snapshot
        refused, held, error = attempts.rejected, attempts.held, attempts.source_error
        return {
            "generation": snapshot.generation,
            "digest": snapshot.digest,
            "state": self._state(),
            "desired": attempts.desired or None,
            "applied": {"digest": snapshot.digest, "at": snapshot.at},
            "rejected": refused
            and {
                "digest": refused.digest or None,
                "reason": str(refused.reason),
                "faults": [str(fault) for fault in refused.faults],
                "at": refused.at,
            },
            "held": held and [f"{step.action} {step.module}" for step in held.steps],
            "sources": [
                {
                    "name": attempts.source.label.removeprefix("source ").strip("`"),
                    "mode": self._reloader.mode,
                    "version": snapshot.version,
                    "seen": attempts.seen,
                    "error": error and error[0],
                    "since": error and error[1],
                },
                *(
                    {
                        "name": layer.name,
                        "source": layer.source,
                        "version": layer.version,
                        "optional": layer.optional,
                        "error": layer.error or None,
                        "since": layer.since,
                    }
                    for layer in attempts.layers
                ),
            ],
            "modules": {
                name: {
                    "type": m.kind.name,
                    "state": m.state,
                    "generation": m.generation,
                }
                for name, m in snapshot.running.items()
            },
            "notes": dict(self.notes),
        }

    def _state(self) -> str:
        attempts, phase = self._reloader.attempts, self._reloader.phase
        if phase != "running":
            return phase
        degraded = self._engine.snapshot.degraded or attempts.source_error
        if degraded or any(layer.error for layer in attempts.layers):
            return "degraded"
        return "rejected" if attempts.rejected else "healthy"

    def read(self) -> tuple[Document, Loaded]:
        """Read the source, as for a change, and leave everything as it is.

        Raises:
            InvalidConfigurationError: if its content is wrong.
            SourceUnavailableError: if it cannot be read.
        """
        attempts = self._reloader.attempts
        try:
            with attempts.reading:
                document, loaded = drive_here(loaded_from(attempts.source))
                reached = transformed(self._engine, document, loaded.positions)
                return drive_here(reached), loaded
        except (InvalidConfigurationError, SourceUnavailableError):
            raise
        except MidflightError as exc:
            raise SourceUnavailableError(str(exc)) from exc

    def check(self) -> tuple[Fault, ...]:
        """Return every fault of the source's configuration; nothing is started.

        Raises:
            SourceUnavailableError: if it cannot be read.
        """
        try:
            document, loaded = self.read()
        except InvalidConfigurationError as exc:
            return drive_here(every_fault(self._engine, exc))
        return drive_here(faults_in(self._engine, document, loaded.positions))

    def plan(self, document: Document, base: Document | None = None) -> Plan:
        """Return what would be done to reach a document.

        Args:
            document: the wanted one.
            base: the one to start from, as if it ran; by default the one in force.

        Raises:
            InvalidConfigurationError: if a document is wrong.
            MidflightError: if the strategy fails.
        """
        return drive_here(planned(self._engine, document, base))


def planned(engine: Engine, document: Document, base: Document | None) -> Steps[Plan]:
    """Plan the way to a document, from the one in force or as if `base` ran.

    Raises:
        InvalidConfigurationError: if a document is wrong.
        MidflightError: if the strategy fails.
    """
    # A copy: of one snapshot, whatever is applied meanwhile; it knows these secrets.
    engine = attrs.evolve(
        engine, working={}, owners={}, views={} if base else engine.views
    )
    if base is not None:
        typed = yield from engine.resolve(base, base.modules, None)
        running = {}
        for name, (kind, value) in typed.items():
            entry = base.modules[name]
            module = yield from engine.made(entry, kind)
            running[name] = Running(entry, value, kind, module, 1)
        engine.snapshot = Snapshot(base, 1, running=MappingProxyType(running))
    yield from engine.resolve(document, document.modules, None)
    return (yield from engine.plan(engine.change(engine.diff_to(document))))
