"""Asks the process that serves a state directory what it makes of a change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from midflight import Fault
from midflight.errors import MidflightError, SourceUnavailableError
from midflight_plugins.api import AnswerError, Client, fault_of
from midflight_plugins.overrides._change import Verdict

_UNKNOWN = frozenset({"source_unavailable", "stopped"})
_PATIENCE = 120.0  # s for an answer: a change may take all deadlines of its modules


@attrs.frozen
class Process:
    """A running process, by its state directory.

    Args:
        state_dir: where its socket is.
    """

    state_dir: Path

    def before(self) -> tuple[Fault, ...]:
        """Let it look, and return what it refuses already.

        Without a watch it may not have seen what stands in the store by now.

        Raises:
            SourceUnavailableError: no process answers there.
        """
        outcome = self._reloaded("")
        return () if outcome.get("reason") in _UNKNOWN else _faults(outcome)

    def ask(self, author: str) -> Verdict:
        """Let it look at its source now, and return what became of the change.

        Raises:
            SourceUnavailableError: no process answers there.
        """
        outcome = self._reloaded(author)
        name, reason = str(outcome.get("outcome")), str(outcome.get("reason"))
        generation = int(outcome.get("generation") or 0)
        if name == "applied" or reason == "same_digest":
            return Verdict("applied", generation)
        if name == "held" and reason != "apply_in_progress":
            return Verdict("held", generation)
        if name == "held" or reason in _UNKNOWN:
            return Verdict("stored", generation)
        return Verdict("refused", generation, name, _faults(outcome))

    def _reloaded(self, author: str) -> Mapping[str, Any]:
        return self._asked("POST", "reload", {"actor": author})

    def shows(self, version: str | int) -> bool:
        """Tell whether one of its layers is at a version of the store."""
        rows = self._asked("GET", "status").get("sources") or ()
        return any(str(row.get("version")) == str(version) for row in rows)

    def _asked(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        client = Client.of(self.state_dir)
        try:
            return dict(client.ask(method, path, body, patience=_PATIENCE).content)
        except SourceUnavailableError as exc:
            msg = f"no process answers in {self.state_dir}: {exc}"
            raise SourceUnavailableError(msg) from exc.__cause__
        except AnswerError as exc:
            where = f"the process in {self.state_dir}"
            msg = f"{where} answered {exc.status}: {exc.detail}"
            raise MidflightError(msg) from exc


def _faults(outcome: Mapping[str, Any]) -> tuple[Fault, ...]:
    return tuple(map(fault_of, outcome.get("faults") or ()))
