from __future__ import annotations

import contextlib
import json
import resource
import socket
import struct
import threading
import time

import pytest

from midflight.testing import wait_until

PATH = "/api/v1/modules/api-limiter/config"
LINGER = struct.pack("ii", 1, 0)


def head(service, *lines: str, method: str = "PUT", path: str = PATH) -> bytes:
    """Return the head of a request with the administrator's token."""
    fixed = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        f"Authorization: Bearer {service.first}",
        "Content-Type: application/json",
    ]
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


def received(sock: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def rate(service) -> int:
    """Return what the limiter has in force."""
    return service.runtime.module("api-limiter").rate


def test_a_head_that_trickles_in_ends_its_connection(make_service):
    """Slowloris: who never ends the head of a request is hung up on."""
    service = make_service(patience=0.5)
    with service.connect() as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        started = time.monotonic()

        def trickle() -> None:
            with contextlib.suppress(OSError):
                while time.monotonic() - started < 15:
                    sock.sendall(b"X-A: b\r\n")
                    threading.Event().wait(0.05)

        threading.Thread(target=trickle, daemon=True).start()
        data = received(sock)

    assert data == b""
    assert time.monotonic() - started < 10
    assert service.get("/livez").status_code == 200


def test_a_body_that_trickles_in_is_refused(make_service):
    """A body has to be there in time; the answer says so."""
    service = make_service(patience=0.5)
    with service.connect() as sock:
        sock.sendall(head(service, "Content-Length: 100") + b'{"rate"')
        data = received(sock)

    assert data.startswith(b"HTTP/1.1 408")
    assert b'"E_TIMEOUT"' in data
    assert rate(service) == 1


def test_a_thousand_idle_connections_stop_nobody(make_service):
    """Those that wait longest make room; `/livez` and the API go on answering."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    service = make_service(connections=100)
    idle = []
    try:
        for _ in range(1_000):
            sock = service.connect()
            sock.sendall(b"GET /livez HTTP/1.1\r\n")
            idle.append(sock)
        answers = [service.get("/livez"), service.get("/api/v1/status")]
        loop = service.runtime.module("admin")._now.door._connections
    finally:
        for sock in idle:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert [each.status_code for each in answers] == [200, 200]
    assert len(loop) <= 101


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Length: 5000"], b"x" * 5_000),
        (["Transfer-Encoding: chunked"], b"1388\r\n" + b"x" * 5_000 + b"\r\n0\r\n\r\n"),
        (["Content-Length: 99999999999"], b"x" * 5_000),
        (["Content-Length: 900000"], b"x" * 900_000),
    ],
)
def test_a_body_that_is_too_big_is_refused(make_service, lines, body):
    """413, whether it says so first or not; the client can read the answer."""
    service = make_service(body_limit=1_000, patience=1)
    with service.connect() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(head(service, *lines) + body)
        data = received(sock)

    assert data.startswith(b"HTTP/1.1 413")
    assert b'"E_SIZE"' in data
    assert rate(service) == 1


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: -5"],
        ["Content-Length: 5x"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Transfer-Encoding: chunked, identity"],
        ["Content-Length: 1_0"],
    ],
)
def test_a_length_that_is_none_is_refused(service, lines):
    """What two servers could read in two ways is read by none."""
    with service.connect() as sock:
        sock.sendall(head(service, *lines, "Connection: close") + b'{"rate": 7}')
        data = received(sock)

    assert data.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert rate(service) == 1


def test_a_length_that_is_too_short_smuggles_nothing(service):
    """What follows the body is another request, or none at all."""
    with service.connect() as sock:
        sock.sendall(head(service, "Content-Length: 11") + b'{"rate": 3}{"rate": 9}')
        data = received(sock)

    assert data.startswith(b"HTTP/1.1 200")
    assert rate(service) == 3


def test_a_client_that_leaves_mid_request_changes_nothing(service, caplog):
    """Half a body is no configuration, and no error of ours."""
    with service.connect() as sock:
        sock.sendall(head(service, "Content-Length: 11") + b'{"rate"')
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    wait_until(lambda: not service.runtime.module("admin")._now.served.in_flight)

    assert service.get("/livez").status_code == 200
    assert rate(service) == 1
    assert "Traceback" not in caplog.text


def test_a_client_that_leaves_before_its_answer_is_done_to(service):
    """A whole request is carried out; asked again, it is not repeated."""
    body = b'{"rate": 4}'
    with service.connect() as sock:
        length = f"Content-Length: {len(body)}"
        sock.sendall(head(service, length, "Idempotency-Key: k1") + body)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    wait_until(lambda: rate(service) == 4)
    generation = service.runtime.snapshot.generation
    kind = {"Idempotency-Key": "k1", "Content-Type": "application/json"}
    with service.client(headers=kind) as client:
        again = client.put(PATH, content=body)

    assert (again.status_code, again.json()["generation"]) == (200, generation)
    assert service.runtime.snapshot.generation == generation


def test_an_answer_that_nobody_takes_ends_its_connection(make_service):
    """A client that does not read holds nothing for long."""
    service = make_service(patience=0.5, requests_per_second=1e6)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.connect(("127.0.0.1", service.port))
        asked = head(service, method="GET", path="/openapi.json")
        door = service.runtime.module("admin")._now.door
        sock.sendall(asked * 10)
        wait_until(lambda: door._connections)
        with contextlib.suppress(OSError):
            sock.sendall(asked * 1_000)
        wait_until(lambda: not door._connections)

    assert service.get("/livez").status_code == 200


def test_an_endless_head_is_refused(service):
    """A head has a limit as well."""
    with service.connect() as sock:
        with contextlib.suppress(OSError):
            for _ in range(100):
                sock.sendall(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 10_000)
        data = received(sock)

    assert data == b"" or data.startswith(b"HTTP/1.1 4")
    assert service.get("/livez").status_code == 200


def test_it_answers_during_a_long_change(service):
    """`/livez`, `/readyz` and reads do not wait for a module that takes its time."""
    limiter = type(service.runtime.module("api-limiter"))
    got: list[int] = []

    def change() -> None:
        with service.client() as client:
            got.append(client.put(PATH, json={"rate": 99}).status_code)

    thread = threading.Thread(target=change)
    thread.start()
    assert limiter.waits.wait(20)
    paths = "/livez", "/readyz", "/api/v1/status", "/metrics", "/api/v1/modules"
    during = [service.get(path).status_code for path in paths]
    limiter.gate.set()
    thread.join()

    assert during == [200] * 5
    assert got == [200]


def test_a_write_in_the_middle_of_a_stop_is_answered(service):
    """It was applied, or it was not: 503; and it does not hold the stop up."""
    limiter = type(service.runtime.module("api-limiter"))
    got: list[int] = []

    def change() -> None:
        with service.client() as client:
            got.append(client.put(PATH, json={"rate": 99}).status_code)

    thread = threading.Thread(target=change)
    thread.start()
    assert limiter.waits.wait(20)
    stopping = threading.Thread(target=service.runtime.stop)
    stopping.start()
    limiter.gate.set()
    started = time.monotonic()
    stopping.join(20)
    took = time.monotonic() - started
    thread.join(20)

    assert got in ([200], [503])
    assert took < 8


def test_many_requests_at_once_are_all_answered(make_service):
    """Sixty-four writers and readers get an answer each, and none is lost."""
    service = make_service(requests_per_second=10_000)
    got: list[int] = []

    def ask(n: int) -> None:
        with service.client() as client:
            if n % 2:
                got.append(client.get("/api/v1/status").status_code)
            else:
                headers = {"If-Match": "*"}
                body = {"rate": n + 1}
                got.append(client.patch(PATH, json=body, headers=headers).status_code)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(got) == [200] * 64


@pytest.mark.parametrize(
    "data",
    [b"\0" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0\r\n\r\n"],
)
def test_what_is_no_request_is_refused(service, data):
    """Bytes of another protocol get a short answer without a trace."""
    with service.connect() as sock:
        sock.sendall(data + b"\r\n\r\n")
        got = received(sock)

    assert got.startswith(b"HTTP/1.1 4")
    assert b"Traceback" not in got


def test_an_error_of_ours_tells_nothing(service, monkeypatch):
    """What fails in a way that nobody foresaw is a problem without its reason."""

    def broken() -> dict:
        raise RuntimeError("dsn://u:p@h/secret")

    monkeypatch.setattr(service.runtime, "status", broken)
    answer = service.get("/api/v1/status")

    assert answer.status_code == 500
    assert json.loads(answer.text)["detail"] == "see the log of the process"
    assert "dsn" not in answer.text
