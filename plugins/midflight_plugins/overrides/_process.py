"""Asks the process that serves a state directory what it makes of a change."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from midflight import Fault, Place
from midflight.errors import Code, MidflightError, SourceUnavailableError
from midflight_plugins.overrides._change import Verdict

_UNKNOWN = frozenset({"source_unavailable", "stopped"})
_PATIENCE = 120.0  # s for an answer: a change may take all deadlines of its modules


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of the file system, however long its path is."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect by way of the directory: the path itself may be too long."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


@attrs.frozen
class Process:
    """A running process, by its state directory.

    Args:
        state_dir: where its socket is.
        store: what the store is called, to tell whether the process has it.
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
        return self._request("POST", "/api/v1/reload", {"actor": author})

    def shows(self, version: str | int) -> bool:
        """Tell whether one of its layers is at a version of the store."""
        rows = self._request("GET", "/api/v1/status").get("sources") or ()
        return any(str(row.get("version")) == str(version) for row in rows)

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        connection = _Connection(self.state_dir / "control.sock")
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if content else {}
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as exc:
            msg = f"no process answers in {self.state_dir}: {exc}"
            raise SourceUnavailableError(msg) from exc
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            what = found.get("detail") or found.get("title")
            msg = f"the process in {self.state_dir} answered {answer.status}: {what}"
            raise MidflightError(msg)
        return dict(found)


def _faults(outcome: Mapping[str, Any]) -> tuple[Fault, ...]:
    return tuple(map(_fault, outcome.get("faults") or ()))


def _fault(data: Mapping[str, Any]) -> Fault:
    known = data.get("code") in Code.__members__
    code = Code(data["code"]) if known else Code.E_STEP
    place = None
    if data.get("file"):
        where = data["file"], data.get("line"), data.get("column")
        place = Place(*where, data.get("layer") or "")
    texts = (str(data.get(key) or "") for key in ("found", "expected", "hint"))
    path = (str(data["path"]),) if data.get("path") else ()
    return Fault(code, str(data.get("message", "")), path, place, *texts)
