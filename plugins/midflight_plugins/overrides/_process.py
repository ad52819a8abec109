"""Asks the process that serves a state directory what it makes of a change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from midflight import Fault
from midflight.errors import MidflightError, SourceUnavailableError, dotted
from midflight_plugins.api import AnswerError, Client, fault_of
from midflight_plugins.overrides._change import TRIES, Verdict
from midflight_plugins.overrides._edit import leaves
from midflight_plugins.overrides._planned import Head
from midflight_plugins.overrides._source import OverridesSource

_UNKNOWN = frozenset({"source_unavailable", "stopped"})
_PATIENCE = 120.0  # s for an answer: a change may take all deadlines of its modules


@attrs.frozen
class Process:
    """A running process, by its state directory.

    Where no layer of it is the store, it is not asked: it has nothing to apply, and
    what it refuses is about something else.

    Args:
        state_dir: where its socket is.
        store: what is changed.
    """

    state_dir: Path
    store: OverridesSource

    def before(self) -> tuple[Fault, ...]:
        """Let it look, and return what it refuses already.

        Without a watch it may not have seen what stands in the store by now.

        Raises:
            SourceUnavailableError: no process answers there.
        """
        if not self.has_store():
            return ()
        outcome = self._reloaded("")
        return () if outcome.get("reason") in _UNKNOWN else _faults(outcome)

    def ask(self, author: str) -> Verdict:
        """Let it look at its source now, and return what became of the change.

        Raises:
            SourceUnavailableError: no process answers there.
        """
        if not self.has_store():
            return Verdict("stored")
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

    def has_store(self) -> bool:
        """Tell whether the store is its layer of overrides, by what both hold.

        Two that hold nothing yet are told apart by their names, as far as these go.

        Raises:
            SourceUnavailableError: no process answers there.
        """
        for _ in range(TRIES):
            head = self.store.head()
            try:
                told = self._asked("GET", "overrides")
            except SourceUnavailableError:
                raise
            except MidflightError:  # it cannot read its own, as was done here
                return False
            there = {str(row.get("path")) for row in told.get("overrides") or ()}
            here = {dotted(keys) for keys, _value in leaves(head.tree)}
            if str(told.get("version")) == str(head.version) and there == here:
                return told.get("layer") is not None and self._is_named(head)
            if str(self.store.head().version) == str(head.version):
                return False
        return False  # others write all the time

    def _is_named(self, head: Head) -> bool:
        """Tell whether a layer is called as the store; it answers without folders."""
        if head.version is not None:
            return True
        rows = self._asked("GET", "status").get("sources") or ()
        return _last(self.store.name) in {_last(str(row.get("source"))) for row in rows}

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


def _last(name: str) -> str:
    return re.split("[/:]", name)[-1]


def _faults(outcome: Mapping[str, Any]) -> tuple[Fault, ...]:
    return tuple(map(fault_of, outcome.get("faults") or ()))
