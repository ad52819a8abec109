"""One request and its answer by HTTP/1.1, over TCP, TLS or a socket of files."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import attrs

from midflight.errors import plain
from midflight_plugins.api._target import Target

Request = tuple[str, str, bytes | None, Mapping[str, str]]
"""Method, target, body and headers."""

_MOST = 256 * 2**20  # bytes of an answer
_LONGEST = 100  # bytes of a socket's path; Linux takes 107


class SilentError(Exception):
    """There is no answer, or none that a service of ours gives."""


@attrs.frozen
class Reply:
    """What came back: what `Answer` has, and the reason of the status line."""

    status: int
    reason: str
    headers: Mapping[str, str]
    kind: str
    content: Any


def exchange(
    target: Target, request: Request, patience: float, ca_file: str | None
) -> Reply:
    """Send a request, and return what comes back.

    Args:
        target: whom to ask.
        request: what is sent.
        patience: seconds without a byte.
        ca_file: certificates to trust instead of the system's.

    Raises:
        SilentError: nothing does, or nothing of ours; of an error of the system that
            is its cause.
    """
    try:
        with contextlib.closing(_connected(target, patience, ca_file)) as connection:
            connection.request(*request)
            answer = connection.getresponse()
            data = answer.read(_MOST + 1)
    except (OSError, http.client.HTTPException) as exc:
        raise SilentError(_why(exc)) from exc
    if len(data) > _MOST:
        msg = f"its answer has more than {_MOST} bytes"
        raise SilentError(msg)
    return _reply(answer, data)


def _reply(answer: http.client.HTTPResponse, data: bytes) -> Reply:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    kind, content = answer.headers.get_content_type(), None
    status = answer.status
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        msg = f"it redirects ({status}), which is not followed"
        raise SilentError(msg)
    try:
        content = json.loads(data) if data else None
    except (ValueError, RecursionError):
        if status < HTTPStatus.BAD_REQUEST:
            msg = f"what it answers is no JSON, but {plain(kind)}"
            raise SilentError(msg) from None
    return Reply(status, answer.reason, headers, kind, content)


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it takes too long"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _connected(
    target: Target, patience: float, ca_file: str | None
) -> http.client.HTTPConnection:
    if target.scheme == "unix":
        return _UnixConnection(Path(target.socket), patience)
    if target.scheme == "http":
        return http.client.HTTPConnection(target.host, target.port, timeout=patience)
    context = _trusting(ca_file)
    return http.client.HTTPSConnection(
        target.host, target.port, timeout=patience, context=context
    )


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as exc:
        msg = f"the certificates in {ca_file} cannot be used: {exc.strerror or exc}"
        raise SilentError(msg) from exc


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket of the file system, however long its path is."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect, by way of the directory if the path itself is too long."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with _short(self._path) as path:
            self.sock.connect(path)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a path of the same socket that is short enough for an address."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    there = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{there}/{path.name}"
    finally:
        os.close(there)
