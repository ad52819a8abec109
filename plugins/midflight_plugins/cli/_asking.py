"""Asks a running service, over the socket in its state directory."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from midflight.errors import MidflightError, plain
from midflight_plugins.cli._not_running import NotRunningError
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._state_dir import directory_of, root

SOCKET = "control.sock"
_QUICK = 10.0  # s for an answer that needs no work
_SLOW = 300.0  # s for one that waits for modules
_JSON = {"Content-Type": "application/json"}
_LONGEST = 100  # bytes of a socket's path; Linux takes 107


class RefusedError(MidflightError):
    """A service answers that it cannot do what it was asked.

    Args:
        status: of HTTP.
        message: what it says.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, directory: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._directory = directory

    def connect(self) -> None:
        """Connect, whatever the length of the path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with _short(self._directory) as path:
            self.sock.connect(path)


@contextlib.contextmanager
def _short(directory: Path) -> Iterator[str]:
    """Give the path of the socket, short enough for a socket's address."""
    path = directory / SOCKET
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    there = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{there}/{SOCKET}"
    finally:
        os.close(there)


def ask(
    sources: Sources, method: str, target: str, body: Mapping[str, Any] | None = None
) -> Any:
    """Ask the service that runs with these sources and settings.

    Args:
        sources: what its `run` was given.
        method: of HTTP.
        target: such as `/api/v1/status`.
        body: what is sent along, as JSON.

    Raises:
        NotRunningError: if none answers.
        RefusedError: if it cannot do that.
    """
    directory = _directory(sources)
    connection = _Connection(directory, _QUICK if method == "GET" else _SLOW)
    with contextlib.closing(connection):
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, target, content, _JSON)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise _silent(directory, exc) from exc
    try:
        content = json.loads(data)
    except ValueError as exc:
        raise _silent(directory, exc) from exc
    if answer.status >= http.HTTPStatus.BAD_REQUEST:
        detail = content.get("detail") or content.get("title") or answer.reason
        raise RefusedError(answer.status, plain(str(detail), 1000))
    return content


def _silent(directory: Path, error: Exception) -> NotRunningError:
    path = directory / SOCKET
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        msg = f"no service runs with the state directory {directory}"
        found = NotRunningError(msg)
        found.add_note("give what its `midflight run` was given, or --state-dir")
        return found
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return NotRunningError(f"{path}: no answer: {why}")


def _directory(sources: Sources) -> Path:
    """Return the state directory of the service that is meant.

    Raises:
        click.UsageError: if it cannot be told which.
        NotRunningError: if there is none.
    """
    assert sources.settings is not None
    if found := directory_of(sources.settings):
        return Path(found)
    if sources.settings["state_dir"] is False:
        msg = "a service without a state directory cannot be asked"
        raise click.UsageError(msg)
    running = [
        each.parent for each in sorted(root().glob(f"*/{SOCKET}")) if _lives(each)
    ]
    if len(running) == 1:
        return running[0]
    if running:
        listed = "\n".join(f"    --state-dir {each}" for each in running)
        msg = f"{len(running)} services run; say which:\n\n{listed}"
        raise click.UsageError(msg)
    msg = f"no service runs in the default place: none answers below {root()}"
    nobody = NotRunningError(msg)
    nobody.add_note("if it keeps its state elsewhere, name that with --state-dir")
    raise nobody


def _lives(path: Path) -> bool:
    """Tell whether anybody listens at a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_QUICK)
        try:
            with _short(path.parent) as address:
                probe.connect(address)
        except OSError:
            return False
    return True
