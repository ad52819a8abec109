from __future__ import annotations

import asyncio
import http.client
import itertools
import pathlib
import socket
import threading
import time
from collections import Counter

import attrs
import pytest

RELOADS = 1000
CLIENTS = 4
RED, BLUE = "apps_under_test:red", "apps_under_test:blue"
LIVED = ["startup", "shutdown"]
MADE = "apps_under_test:make"


def settled(wanted, timeout=30.0, pause=0.02):
    """Return what `wanted` gives once it is empty, or after the deadline."""
    due = time.monotonic() + timeout
    while (found := wanted()) and time.monotonic() < due:
        time.sleep(pause)
    return found


@attrs.define(eq=False)
class Client:
    """Sends requests on a kept-alive connection, and follows the port."""

    site: object
    port: list[int]
    stop: threading.Event
    done: int = 0
    refused: int = 0
    failures: list[str] = attrs.field(factory=list)

    def run(self):
        connection, bound = None, 0
        while not self.stop.is_set():
            port = self.port[0]
            if connection is None or bound != port:
                if connection is not None:
                    connection.close()
                connection, bound = self._connected(port), port
            if connection is not None and not self._request(connection):
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _connected(self, port):
        """Connect; a port that nobody listens on any more is not a lost request."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.connect()
        except ConnectionRefusedError:
            self.refused += 1
            return None
        return connection

    def _request(self, connection):
        """Send one request; tell whether the connection may be used again."""
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as exc:
            self.failures.append(repr(exc))
            return False
        if response.status != 200 or not body.startswith(b'{"app"'):
            self.failures.append(f"{response.status} {body[:80]!r}")
        self.done += 1
        return response.getheader("connection") != "close"


def threads():
    """Return the names of the threads that run."""
    return sorted(thread.name for thread in threading.enumerate())


def descriptors():
    """Return the number of open descriptors."""
    return len(list(pathlib.Path("/proc/self/fd").iterdir()))


def storm(site, reloads):
    """Alternate application, settings and port; yield each outcome."""
    for at in range(reloads):
        config = {
            "app": (RED, BLUE, MADE)[at % 3],
            "factory": at % 3 == 2,
            "settings": {"at": at // 3},
            "keep_alive_timeout": 60.0,
            "drain_timeout": 10.0,
        }
        if at % 20 == 0:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
        yield site.change(**config, port=port)


def wait_for_answers(clients):
    """Wait until the clients have had as many more answers as there are of them."""
    enough = sum(client.done for client in clients) + len(clients)
    settled(lambda: sum(client.done for client in clients) < enough, pause=0.001)


@pytest.mark.timeout(180)
def test_a_thousand_reloads_under_load_fail_no_request_and_leak_nothing(site, apps):
    """Reloads of application, settings and port: no request fails, nothing is left."""
    site.change(app=RED, port=site.port)
    assert not settled(lambda: site.module._leaving)
    loop = site.module._loop.loop
    before = threads(), descriptors(), len(asyncio.all_tasks(loop))
    port, stop = [site.port], threading.Event()
    clients = [Client(site, port, stop) for _ in range(CLIENTS)]
    workers = [threading.Thread(target=client.run) for client in clients]
    for worker in workers:
        worker.start()
    outcomes = set()
    for outcome in storm(site, RELOADS):
        outcomes.add(outcome.name)
        port[0] = site.port
        wait_for_answers(clients)
    stop.set()
    for worker in workers:
        worker.join(30)

    def left():
        # More than before is a leak; what an earlier test left may end meanwhile.
        now = threads(), descriptors(), len(asyncio.all_tasks(loop))
        more = Counter(now[0]) - Counter(before[0])
        return [before, now] if more or now[1] > before[1] or now[2] > before[2] else []

    assert outcomes == {"applied"}
    assert list(itertools.chain(*(client.failures for client in clients))) == []
    assert all(client.done > 100 for client in clients)
    assert settled(left) == []
    assert not site.module._leaving
    assert [app.diary for app in apps.made if app.diary != LIVED] == []
