"""Servers in processes of their own, and Caddy among them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import time

import common

PATIENCE = 240.0  # s until a process has to answer; 10,000 modules take their time


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server in a process of its own, and a connection to its admin API.

    Args:
        folder: what it may write to.
        count: how many entries its configuration has.
    """

    path = ""
    method = "PATCH"

    def __init__(self, folder: pathlib.Path, count: int) -> None:
        self.folder, self.count, self.row = folder, count, count // 2
        self.port, self.headers = free_port(), {"Content-Type": "application/json"}
        folder.mkdir()

    def __enter__(self):
        with (self.folder / "log").open("w") as log:
            self._child = subprocess.Popen(
                self.command(), cwd=self.folder, env=self.environment(), stderr=log
            )
        self._wait()
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(AttributeError):
            self.connection.close()
        self._child.terminate()
        self._child.wait(30)

    def environment(self) -> dict:
        """Return what its process is given."""
        return {**os.environ, "XDG_DATA_HOME": str(self.folder)}

    def connect(self) -> None:
        """Take a new connection in the place of one that has been idle."""
        with contextlib.suppress(AttributeError):
            self.connection.close()
        self.connection = self.connected()

    def connected(self) -> http.client.HTTPConnection:
        """Return a new connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), contextlib.closing(self.connected()):
                return
            if self._child.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def change(self, value: int) -> float:
        """Change the one value; return the milliseconds until the answer is read."""
        body = json.dumps(self.body(value))
        began = time.perf_counter()
        self.connection.request(self.method, self.path, body, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        took = (time.perf_counter() - began) * 1e3
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{answer.status} {content[:500]!r}")
        return took


class Routes(common.Text):
    """A configuration of Caddy with N routes; the rate is what one of them answers.

    Args:
        count: how many routes.
        admin: the port of its admin API.
        serves: the port of its routes.
    """

    file, between = "caddy.json", ","

    def __init__(self, count: int, admin: int, serves: int) -> None:
        super().__init__(count)
        server = {
            "listen": [f"127.0.0.1:{serves}"],
            "routes": ["HERE"],
            "automatic_https": {"disable": True},
        }
        whole = {
            "admin": {"listen": f"127.0.0.1:{admin}"},
            "apps": {"http": {"servers": {"shop": server}}},
        }
        self.head, _, self.tail = json.dumps(whole).partition('"HERE"')

    def written(self, at: int, rate: int) -> str:
        """Return the text of one route."""
        answer = {
            "handler": "static_response",
            "status_code": 200,
            "headers": {"X-Node": [f"node-{at}.example.org"]},
            "body": str(rate),
        }
        match = [{"path": [f"/service/{at}"]}]
        return json.dumps({"match": match, "handle": [answer]})


class Caddy(Process):
    """Caddy, with as many routes; a value of one of them is changed."""

    def __init__(self, folder: pathlib.Path, count: int) -> None:
        super().__init__(folder, count)
        self.serves = free_port()

    def command(self) -> list[str]:
        """Return what starts it."""
        text = Routes(self.count, self.port, self.serves)
        (self.folder / text.file).write_text(text.with_rate(0), "utf-8")
        self.path = f"/config/apps/http/servers/shop/routes/{self.row}/handle/0/body"
        return ["caddy", "run", "--config", text.file]

    def environment(self) -> dict:
        """Give it a home of its own, where it keeps each configuration."""
        return {**super().environment(), "XDG_CONFIG_HOME": str(self.folder)}

    def body(self, value: int) -> str:
        """Return the one value."""
        return str(value)
