from __future__ import annotations

import contextlib
import json
import logging

import pytest

from midflight.testing import wait_until

PATH = "/api/v1/modules/api-limiter/config"
UPGRADE = b"GET /livez HTTP/1.1\r\nHost: %b\r\nConnection: upgrade\r\nUpgrade: "
GARBAGE = [
    b"\0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"POST /login HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HEAD /livez HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab",
    UPGRADE + b"websocket\r\n\r\n",
    UPGRADE + b"h2c\r\n\r\n",
]


def exchanged(service, data: bytes, seconds: float = 10) -> bytes:
    """Send bytes; return all that comes until the server closes, or is quiet."""
    parts = []
    with contextlib.suppress(OSError), service.connect() as sock:
        sock.sendall(data)
        sock.settimeout(seconds)
        while part := sock.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def head(service, *lines: str, method: str = "PUT", path: str = PATH) -> bytes:
    """Return the head of a request with the administrator's token."""
    fixed = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        f"Authorization: Bearer {service.first}",
        "Content-Type: application/json",
        "If-Match: *",
    ]
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_what_strangers_send_writes_no_log(service, data, caplog):
    """Anybody can send it as often as he likes; no line, least of all a traceback."""
    caplog.set_level(logging.INFO)
    caplog.clear()
    host = b"127.0.0.1:%d" % service.port
    for _ in range(5):
        got = exchanged(service, data.replace(b"%b", host), seconds=0.2)
        assert b"Traceback" not in got

    assert service.get("/livez").status_code == 200
    lines = [each for each in caplog.records if not each.name.startswith("httpx2")]
    assert [each for each in lines if each.name != "midflight.admin"] == []


@pytest.mark.parametrize("rest", [b"zz\r\n", b"5\r\n12345678", b"-1\r\n", b"\0\r\n"])
def test_a_body_that_breaks_off_is_no_request(service, rest):
    """A chunked body whose end is garbage is answered once, and changes nothing."""
    start = b'c\r\n{"rate": 33}\r\n'
    data = head(service, "Transfer-Encoding: chunked") + start + rest
    got = exchanged(service, data)

    assert got.count(b"HTTP/1.1 ") == 1
    assert got.startswith(b"HTTP/1.1 400")
    assert service.runtime.module("api-limiter").rate == 1


def test_a_body_with_two_lengths_is_refused(service):
    """A proxy in front may see another end of it, and let a second request through."""
    smuggled = head(service, "Content-Length: 12") + b'{"rate": 44}'
    chunked = b'b\r\n{"rate": 3}\r\n0\r\n\r\n'
    lines = f"Content-Length: {len(chunked)}", "Transfer-Encoding: chunked"
    got = exchanged(service, head(service, *lines) + chunked + smuggled)

    assert got.startswith(b"HTTP/1.1 400")
    assert got.count(b"HTTP/1.1 ") == 1
    assert service.runtime.module("api-limiter").rate == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("plan", b'{"module": "\\ud800", "patch": {}}'),
        ("plan", b'{"\\udfff": 1, "module": "api-limiter", "patch": {}}'),
        ("rollback", b'{"digest": "\\ud800"}'),
        ("rollback", b'{"layer": "\\udbff", "version": 1}'),
        ("apply", b'{"\\ud800": 1}'),
        ("reload", b'{"\\ud800": 1}'),
    ],
)
def test_half_a_surrogate_pair_is_told_of(service, path, body):
    """What cannot be UTF-8 is refused as anything else, and named in the answer."""
    url = f"/api/v1/{path}"
    length = f"Content-Length: {len(body)}"
    data = head(service, length, "Connection: close", method="POST", path=url) + body
    got = exchanged(service, data)
    _, _, content = got.partition(b"\r\n\r\n")

    assert got.startswith(b"HTTP/1.1 4")
    assert json.loads(content)["status"] < 500


def test_pipelined_requests_end_with_one_that_asks_to_close(service):
    """What comes behind it is not looked at, let alone done."""
    body = b'{"rate": 5}'
    first = head(service, "Content-Length: 11", "Connection: close") + body
    second = head(service, "Content-Length: 11") + b'{"rate": 6}'
    got = exchanged(service, first + second)
    wait_until(lambda: service.runtime.module("api-limiter").rate == 5)

    assert got.count(b"HTTP/1.1 ") == 1
    assert service.get(PATH).json() == {"rate": 5}


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/modules/admin%2Fconfig",
        "/api/v1/modules/api-limiter/../admin/config",
        "/api/v1/modules/api-limiter%2F..%2Fadmin/config",
        "/api/v1/modules/api-limiter/%2e%2e/admin/config",
        "//api/v1/modules/admin/config",
        "/api/v1//modules/admin/config",
        "/api/v1/modules/admin/config/",
        "/API/v1/modules/admin/config",
        "/api/v1/modules/%61dmin/config",
        "/api/v1/modules/admin;name=api-limiter/config",
        "/api/v1/modules/admin/config?name=api-limiter",
        "http://localhost/api/v1/modules/admin/config",
        "/api/v1/modules/api-limiter%00/../admin/config",
        "/api/v1/modules/api-*/config",
        "/api/v1/overrides?path=%22modules%22.%22admin%22.config.patience",
        "/api/v1/overrides?path=%20modules.admin.config.patience",
    ],
)
def test_no_way_of_writing_a_path_reaches_another_module(service, target):
    """A token for `api-*` changes no other module, however its name is put."""
    token = service.token("write:api-*")
    before = service.runtime.snapshot.generation
    body = b'{"value": 3, "patience": 3}'
    lines = [
        f"PUT {target} HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        f"Authorization: Bearer {token}",
        f"Content-Length: {len(body)}",
        "Content-Type: application/json",
        "If-Match: *",
        "X-HTTP-Method-Override: PUT",
        f"X-Original-URL: {PATH}",
        "Connection: close",
    ]
    got = exchanged(service, "\r\n".join([*lines, "", ""]).encode() + body)

    assert got.startswith((b"HTTP/1.1 403", b"HTTP/1.1 404"))
    assert service.runtime.snapshot.generation == before


@pytest.mark.parametrize(
    "query",
    [
        "path=modules.admin.config.patience&path=modules.api-limiter.config.rate",
        "path=modules.api-limiter.config.rate&path=modules.api-limiter.config.rate",
    ],
)
def test_a_parameter_that_is_given_twice_is_refused(service, query):
    """What a proxy in front may read in one way and the service in another."""
    with service.client() as client:
        answer = client.put(f"/api/v1/overrides?{query}", json={"value": 7})

    assert (answer.status_code, answer.json()["code"]) == (400, "E_DUPKEY")
    assert service.runtime.snapshot.generation == 1


def test_a_header_that_is_given_twice_is_a_list(service):
    """Both lines of `If-Match` count, as RFC 9110 has it."""
    tag = service.get(PATH).headers["etag"]
    for lines in ([tag, '"other"'], ['"other"', tag]):
        headers = [("If-Match", each) for each in lines]
        with service.client() as client:
            answer = client.put(f"{PATH}?dry_run=true", json={}, headers=headers)

        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "put"])
def test_no_other_method_is_known(service, method):
    """Nothing is echoed, nothing allowed to others, and nothing done."""
    status, text = service.raw(f"{method} {PATH} HTTP/1.1", "X-Canary: chirp")

    assert status == 405
    assert "access-control" not in text.lower()
    assert "chirp" not in text
