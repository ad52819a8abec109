from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time

import pytest

from midflight.testing import wait_until

STREAMS = 100  # that one server has at once


@pytest.fixture(autouse=True)
def many_files():
    """Let this process have as many connections as a crowd needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def listen(service, path: str = "/api/v1/events", method: str = "GET") -> socket.socket:
    """Ask for the events, and leave the connection open."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        f"Authorization: Bearer {service.first}",
    ]
    sock = service.connect()
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    return sock


def status_of(sock: socket.socket) -> int:
    """Return the status of the answer that comes."""
    return int(sock.recv(12).decode().split()[1])


def does_its_job(service, rate: int) -> float:
    """Change a value where the service reads it; return the seconds until it counts."""
    began = time.monotonic()
    service.modules["api-limiter"] = {"type": "limiter", "config": {"rate": rate}}
    service.base.set({"modules": service.modules})
    assert service.runtime.reload().ok
    assert service.runtime.module("api-limiter").rate == rate
    assert service.get("/livez").status_code == 200
    return time.monotonic() - began


def test_a_thousand_idle_connections_hold_up_no_change(make_service):
    """What the service is there for goes on, and is told in time."""
    service = make_service(connections=100, requests_per_second=10_000)
    with contextlib.ExitStack() as stack:
        for n in range(1_000):
            sock = stack.enter_context(service.connect())
            sock.sendall(b"GET /livez HTTP/1.1\r\nX: " + b"x" * (n % 50))
        took = does_its_job(service, 7)
        with service.client() as client:
            path = "/api/v1/modules/api-limiter/config"
            patched = client.patch(path, json={"rate": 8})

    assert took < 5
    assert patched.status_code == 200


def test_two_hundred_listeners_hold_up_no_change(make_service):
    """A hundred are served, the others told to come later; each hears what happens."""
    service = make_service(requests_per_second=10_000)
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(listen(service)) for _ in range(2 * STREAMS)]
        statuses = [status_of(each) for each in crowd]
        served = [
            each for each, status in zip(crowd, statuses, strict=True) if status == 200
        ]
        took = does_its_job(service, 7)
        heard = [_heard(each, b"event: applied") for each in served]

    assert sorted(set(statuses)) == [200, 503]
    assert len(served) == STREAMS
    assert took < 5
    assert all(heard)
    wait_until(lambda: not service.runtime.module("admin")._site.streams._under_way)


def _heard(sock: socket.socket, mark: bytes) -> bool:
    data, due = b"", time.monotonic() + 10
    while mark not in data and time.monotonic() < due:
        part = sock.recv(65_536)
        if not part:
            break
        data += part
    return mark in data


def test_a_storm_of_reconnects_leaves_nothing_behind(make_service):
    """Who listens, leaves and comes back again and again uses nothing up."""
    service = make_service(requests_per_second=10_000)
    site = service.runtime.module("admin")._site

    def storm() -> None:
        for _ in range(25):
            with contextlib.suppress(OSError), listen(service) as sock:
                sock.recv(12)

    threads = [threading.Thread(target=storm) for _ in range(8)]
    for thread in threads:
        thread.start()
    took = does_its_job(service, 7)
    for thread in threads:
        thread.join(30)
    wait_until(lambda: not site.streams._under_way and not site.streams._open)

    assert took < 5
    assert does_its_job(service, 8) < 5


def test_to_ask_for_the_head_of_a_stream_ends(service):
    """`HEAD` of the events is answered, and the connection goes on."""
    with listen(service, method="HEAD") as sock:
        first = sock.recv(65_536)
        sock.sendall(
            b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % service.port
        )
        second = sock.recv(65_536)

    assert first.startswith(b"HTTP/1.1 200")
    assert b"text/event-stream" in first
    assert second.startswith(b"HTTP/1.1 200")


def test_a_token_that_left_the_settings_hears_no_more(service, tmp_path):
    """A stream ends when the file of tokens becomes another one."""
    other = type(service.tokens)(tmp_path / "other.json")
    token = other.create("new", ("admin",))
    with listen(service) as sock:
        status = status_of(sock)
        service.configure(
            address=f"127.0.0.1:{service.port}", token_file=str(other.path)
        )
        ended = _heard(sock, b"\r\n0\r\n\r\n")

    assert ended
    assert status == 200
    assert service.get("/api/v1/status", token).status_code == 200
