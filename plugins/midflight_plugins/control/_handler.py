"""One request: read within limits, answered as JSON, problems as `problem+json`."""

from __future__ import annotations

import http
import http.server
import io
import json
import logging
import socket
import time
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from midflight.errors import Code, MidflightError, StoppedError, plain
from midflight_plugins.control._answers import AbsentError, explained, reloaded

if TYPE_CHECKING:
    from midflight_plugins.control._server import Server

_log = logging.getLogger("midflight.control")
_LINE = 65_536  # bytes
_BODY = 65_536  # bytes; an actor's name needs few
_DIGITS = 10  # of a length; more are no number that is worth reading
_NONE: Mapping[str, str] = {}
_CODES = {
    400: Code.E_SYNTAX,
    404: Code.E_UNKNOWN,
    405: Code.E_UNKNOWN,
    408: Code.E_TIMEOUT,
    411: Code.E_REQUIRED,
    413: Code.E_SIZE,
    414: Code.E_SIZE,
    415: Code.E_FORMAT,
    431: Code.E_SIZE,
    501: Code.E_UNKNOWN,
    503: Code.E_STOPPED,
    505: Code.E_FORMAT,
}


class Problem(Exception):  # noqa: N818  # what the answer is called
    """An answer that is not what was asked for.

    Args:
        status: of HTTP.
        detail: what is wrong and what to do.
        allow: the methods that are allowed, for 405.
    """

    def __init__(self, status: int, detail: str, allow: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.allow = status, detail, allow


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
            content = self._route()
        except Problem as exc:
            self._problem(exc)
        except StoppedError as exc:
            self._problem(Problem(503, str(exc)))
        except MidflightError as exc:
            self._problem(Problem(500, str(exc)), exc.code)
        except (TimeoutError, OSError):
            raise
        except Exception:  # noqa: BLE001  # what was asked must not end without an answer
            _log.exception("a request to the control socket failed")
            self._problem(Problem(500, "see the log of the process"))
        else:
            self._send(200, "application/json", content)

    def _route(self) -> Any:
        """Return the answer as data."""
        url = urllib.parse.urlsplit(self.path)
        routes = {
            ("GET", "/api/v1/status"): self._status,
            ("GET", "/api/v1/explain"): self._explain,
            ("POST", "/api/v1/reload"): self._reload,
        }
        methods = [method for method, path in routes if path == url.path]
        if not methods:
            known = ", ".join(sorted({path for _, path in routes}))
            raise Problem(404, f"there is no such route; known: {known}")
        if self.command not in methods:
            allow = ", ".join(methods)
            raise Problem(405, f"the method here is {allow}", allow)
        body = self._body()
        return routes[self.command, url.path](url.query, body)

    def _body(self) -> bytes:
        """Read the body, of a length that is told and fits."""
        if "Transfer-Encoding" in self.headers:
            raise Problem(411, "a body needs a `Content-Length`")
        lengths = self.headers.get_all("Content-Length", ["0"])
        text = lengths[0].strip()
        if len(set(lengths)) > 1 or not (text.isascii() and text.isdigit()):
            raise Problem(400, "`Content-Length` is no number")
        if len(text) > _DIGITS or int(text) > _BODY:
            raise Problem(413, f"a body has at most {_BODY} bytes")
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            raise Problem(400, "the body is shorter than `Content-Length`")
        return body

    # -- routes ------------------------------------------------------------------

    def _status(self, _query: str, _body: bytes) -> Any:
        return self.server.runtime.status()

    def _explain(self, query: str, _body: bytes) -> Any:
        asked = urllib.parse.parse_qs(query, keep_blank_values=True, max_num_fields=8)
        path = asked.get("path", [""])[-1]
        if not path and asked.get("all", ["0"])[-1] not in {"1", "true"}:
            raise Problem(400, "give `?path=modules.web`, or `?all=1`")
        try:
            return explained(self.server.runtime.snapshot, path)
        except AbsentError as exc:
            raise Problem(404, str(exc)) from None

    def _reload(self, _query: str, body: bytes) -> Any:
        try:
            asked = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            raise Problem(400, "the body is no JSON") from None
        actor = asked.get("actor", "") if isinstance(asked, dict) else None
        if not isinstance(actor, str):
            raise Problem(400, 'the body is not as in {"actor": "ada"}')
        return reloaded(self.server.runtime, plain(actor))

    # -- answering ---------------------------------------------------------------

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer with a problem, as for a request that cannot be read."""
        self.close_connection = True
        self._problem(Problem(int(code), plain(message or explain or "")))

    def _problem(self, problem: Problem, code: Code | None = None) -> None:
        status = http.HTTPStatus(problem.status)
        content = {
            "type": "about:blank",
            "title": status.phrase,
            "status": int(status),
            "code": str(code or _CODES.get(problem.status, Code.E_STEP)),
            "detail": plain(problem.detail),
        }
        allow = {"Allow": problem.allow} if problem.allow else {}
        self._send(problem.status, "application/problem+json", content, allow)

    def _send(
        self, status: int, kind: str, content: Any, more: Mapping[str, str] = _NONE
    ) -> None:
        data = json.dumps(content, default=str).encode()
        self.connection.settimeout(self.server.patience)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Connection": "close",
            **more,
        }
        if self.request_version == "HTTP/0.9":  # which has no headers
            self.request_version = self.protocol_version
        self.send_response(status)
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
