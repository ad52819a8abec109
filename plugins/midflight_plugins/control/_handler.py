"""One request: read within limits, answered by the routes of the API as JSON."""

from __future__ import annotations

import http
import http.server
import io
import json
import logging
import socket
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

from midflight.errors import Code, plain
from midflight_plugins.api import ROUTES, Answer, Api, Caller, Problem, Request
from midflight_plugins.control._socket import user_of

if TYPE_CHECKING:
    from midflight_plugins.control._server import Server

_log = logging.getLogger("midflight.control")
_LINE = 65_536  # bytes
_BODY = 2**20  # bytes
_DIGITS = 10  # of a length; more are no number that is worth reading
_FIELDS = 32  # of a query
_CODES = {
    400: Code.E_SYNTAX,
    408: Code.E_TIMEOUT,
    414: Code.E_SIZE,
    431: Code.E_SIZE,
    501: Code.E_UNKNOWN,
    505: Code.E_FORMAT,
}


class _Bounded(io.RawIOBase):
    """Reads a connection until a time is up, however slowly bytes trickle in."""

    def __init__(self, connection: socket.socket, due: float) -> None:
        self._connection, self._due = connection, due

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._due - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request of a connection, and closes it."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        """Read within the time that one request has."""
        super().setup()
        self.rfile.close()
        due = time.monotonic() + self.server.patience
        self.rfile = io.BufferedReader(_Bounded(self.connection, due))

    def version_string(self) -> str:
        """Name the program; its version and the interpreter's are nobody's business."""
        return "midflight"

    def handle_one_request(self) -> None:
        """Read one request and answer it."""
        try:
            self.raw_requestline = self.rfile.readline(_LINE + 1)
            if not self.raw_requestline:
                return
            if len(self.raw_requestline) > _LINE:
                self.requestline = self.request_version = self.command = ""
                self.send_error(414)
            elif self.parse_request():
                self._answer()
        except TimeoutError:
            self._late()
        except OSError as exc:
            _log.debug("a client went away: %s", exc)
        finally:
            self.close_connection = True

    def _late(self) -> None:
        self.requestline = self.command = ""
        self.request_version = self.protocol_version
        try:
            self.send_error(408)
        except OSError as exc:
            _log.debug("a client went away: %s", exc)

    def _answer(self) -> None:
        try:
            answer = self._routed()
        except Problem as exc:
            answer = exc.answer()
        self._send(answer)

    def _routed(self) -> Answer:
        """Let the route that a request names answer it."""
        url = urllib.parse.urlsplit(self.path)
        matches = [(each, each.match(url.path)) for each in ROUTES]
        here = {
            each.method: (each, names) for each, names in matches if names is not None
        }
        if not here:
            detail = "there is no such route; the documentation lists them"
            raise Problem(404, Code.E_UNKNOWN, detail)
        if self.command not in here:
            allow = ", ".join(sorted(here))
            detail = f"the method here is {allow}"
            raise Problem(405, Code.E_UNKNOWN, detail, headers={"Allow": allow})
        route, names = here[self.command]
        user = user_of(self.connection)
        request = Request(
            Caller(user, ("admin",), names_others=True),
            {key: _unquoted(value) for key, value in names.items()},
            _query(url.query),
            {key.lower(): value for key, value in self.headers.items()},
            self._body(),
        )
        return Api.of(self.server.runtime).answer(route, request)

    def _body(self) -> bytes:
        """Read the body, of a length that is told and fits."""
        if "Transfer-Encoding" in self.headers:
            raise Problem(411, Code.E_REQUIRED, "a body needs a `Content-Length`")
        lengths = self.headers.get_all("Content-Length", ["0"])
        text = lengths[0].strip()
        if len(set(lengths)) > 1 or not (text.isascii() and text.isdigit()):
            raise Problem(400, Code.E_SYNTAX, "`Content-Length` is no number")
        if len(text) > _DIGITS or int(text) > _BODY:
            raise Problem(413, Code.E_SIZE, f"a body has at most {_BODY} bytes")
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            raise Problem(
                400, Code.E_SYNTAX, "the body is shorter than `Content-Length`"
            )
        return body

    # -- answering ---------------------------------------------------------------

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer with a problem, as for a request that cannot be read."""
        self.close_connection = True
        known = _CODES.get(int(code), Code.E_SYNTAX)
        problem = Problem(int(code), known, plain(message or explain or ""))
        self._send(problem.answer())

    def _send(self, answer: Answer) -> None:
        empty = answer.status == http.HTTPStatus.NOT_MODIFIED
        data = b"" if empty else json.dumps(answer.content, default=str).encode()
        self.connection.settimeout(self.server.patience)
        headers = {
            "Content-Type": answer.kind,
            "Content-Length": str(len(data)),
            "Connection": "close",
            **answer.headers,
        }
        if self.request_version == "HTTP/0.9":  # which has no headers
            self.request_version = self.protocol_version
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log what is worth it; a question that was answered is not."""
        if self.command != "GET" or code != http.HTTPStatus.OK:
            super().log_request(code, size)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log for those who look for it."""
        _log.debug("control: %s", plain(format % args))


def _query(text: str) -> dict[str, str]:
    """Read a query.

    Raises:
        Problem: 400 if it is none.
    """
    try:
        pairs = urllib.parse.parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS
        )
    except ValueError:
        detail = f"the query is not UTF-8, or has more than {_FIELDS} fields"
        raise Problem(400, Code.E_ENCODING, detail) from None
    return dict(pairs)


def _unquoted(text: str) -> str:
    """Read a part of a path.

    Raises:
        Problem: 400 if it is not UTF-8.
    """
    try:
        return urllib.parse.unquote(text, errors="strict")
    except ValueError:
        raise Problem(400, Code.E_ENCODING, "the path is not UTF-8") from None
