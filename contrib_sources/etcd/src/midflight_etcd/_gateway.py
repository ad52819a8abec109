"""etcd's HTTP gateway: a connection for each request, so that none is ever stale."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs

from midflight.errors import SourceUnavailableError, plain


class EtcdError(SourceUnavailableError):
    """A request failed; if `is_lost`, it may have been done all the same."""

    def __init__(self, text: str, code: int = 14) -> None:
        self.is_lost = code in {4, 14}  # of gRPC: too late, and not available
        self.is_stale = "invalid auth token" in text or "auth store is old" in text
        super().__init__(f"etcd: {plain(text)}")


@attrs.define(eq=False, repr=False)  # it would show the password
class Gateway:
    """Asks etcd; any thread may. `EtcdSource` says what the options mean."""

    hosts: list[str]
    user: str = ""
    password: str = ""
    password_file: str = ""
    tls: bool | str = False
    ca: str = ""
    cert: str = ""
    timeout: float = attrs.field(default=5.0, converter=float)
    _token: str = attrs.field(default="", init=False)
    _socket: Any = attrs.field(default=None, init=False)

    def answers(self, path: str, body: object) -> Generator[Any]:
        """Give one answer after the other; the first may raise `EtcdError`."""
        try:
            response, answer = self._asked(path, body)
        except EtcdError as exc:
            self.hosts = self.hosts[exc.is_lost :] + self.hosts[: exc.is_lost]  # turned
            if not exc.is_stale:
                raise
            self._token = ""
            response, answer = self._asked(path, body)
        with response, contextlib.suppress(TimeoutError):  # a silent stream may be dead
            while answer:
                yield answer
                answer = _answer(response)

    def interrupt(self) -> None:
        """End the last request."""
        with contextlib.suppress(OSError, AttributeError):  # it is over, or never was
            self._socket.shutdown(socket.SHUT_RDWR)

    def _asked(self, path: str, body: object) -> Any:  # a member that has a leader
        try:
            if self.user and not self._token and path != "auth/authenticate":
                file = Path(self.password_file or "/dev/null")  # it may be exchanged
                secret = self.password or file.read_text("utf-8").strip()
                login = {"name": self.user, "password": secret}
                self._token = next(self.answers("auth/authenticate", login))["token"]
            token = {"Authorization": self._token} if self._token else {}
            headers = {"Connection": "close", "Grpc-Metadata-hasleader": "true"} | token
            text = json.dumps(body, default=lambda data: b64encode(data).decode())
            link = self._connected()
            with contextlib.ExitStack() as opened, link.sock as sock:
                self._socket = sock
                link.request("POST", f"/v3/{path}", text, headers)
                response = opened.enter_context(link.getresponse())  # has the socket
                answer = _answer(response)
                opened.pop_all()  # what is sound is closed by who reads on
            if not response.isclosed():  # a stream, which may be silent for that long
                sock.settimeout(30 * self.timeout)
        except (OSError, ValueError, http.client.HTTPException) as exc:
            raise EtcdError(str(exc) or type(exc).__name__) from None
        return response, answer

    def _connected(self) -> http.client.HTTPConnection:
        failures, wait = [], self.timeout / len(self.hosts)
        for host in self.hosts:
            try:
                link = http.client.HTTPConnection(host, timeout=wait)
                if self.tls not in {False, "false"} or self.ca or self.cert:
                    files = [Path(file) for file in (self.ca, self.cert) if file]
                    tls = _tls(self.ca, self.cert, *(f.stat().st_mtime for f in files))
                    link = http.client.HTTPSConnection(host, timeout=wait, context=tls)
                link.connect()
            except OSError as exc:
                failures.append(f"{host}: {exc}")
            else:
                return link
        raise EtcdError("; ".join(failures), 0)  # not sent


@functools.lru_cache(maxsize=8)
def _tls(ca: str, cert: str, *_: float) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=ca or None)  # the system's take 0.1 s
    if cert:
        tls.load_cert_chain(cert)
    return tls


def _answer(response: http.client.HTTPResponse) -> Any:  # an empty one at the end
    line = response.readline() or b"{}"
    if not line.startswith(b"{"):
        msg = f"{response.status} {response.reason}, which is not etcd's gateway"
        raise EtcdError(msg)
    answer = json.loads(line)
    if error := answer.get("error"):
        told = error if isinstance(error, dict) else answer
        raise EtcdError(told["message"], told.get("code") or told["grpc_code"])
    if (result := answer.get("result", {})).get("canceled"):
        raise EtcdError(result.get("cancel_reason") or "it cancelled the watch")
    return answer
