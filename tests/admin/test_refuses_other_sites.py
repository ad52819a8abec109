from __future__ import annotations

import socket
import stat

import pytest

STATUS = "GET /api/v1/status HTTP/1.1"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "evil.example",
        "127.0.0.1:1",
        "localhost.evil.example",
        "",
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(service, host):
    """DNS rebinding: the browser sends the attacker's name, with a token or without."""
    name = host.format(port=service.port)
    status, text = service.raw(STATUS, host=name)
    page, _ = service.raw("GET / HTTP/1.1", host=name)
    alive, _ = service.raw("GET /livez HTTP/1.1", host=name)

    assert (status, page, alive) == (403, 403, 403)
    assert '"E_ORIGIN"' in text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_its_own_names_are_allowed(service, host):
    """The loopback has several names; the port is that which is bound."""
    status, _ = service.raw(STATUS, host=f"{host}:{service.port}")

    assert status == 200


def test_further_names_are_allowed_by_the_settings(service):
    """`hosts` lists names, with a port or for any; the change needs no restart."""
    port = service.port
    before, _ = service.raw(STATUS, host="midflight.example")
    service.configure(address=f"127.0.0.1:{port}", hosts=["midflight.example", "b:80"])
    names = "midflight.example", f"midflight.example:{port}", "b:80", "b:81", "b"

    assert before == 403
    assert [service.raw(STATUS, host=name)[0] for name in names] == [
        200,
        200,
        200,
        403,
        403,
    ]


@pytest.mark.parametrize(
    "header",
    [
        "Origin: null",
        "Origin: http://evil.example",
        "Origin: http://127.0.0.1:1",
        "Origin: https://127.0.0.1.evil.example:{port}",
        "Origin: 127.0.0.1:{port}",
        "Origin: file://127.0.0.1:{port}",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: Cross-Site",
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/reload", "/login"])
def test_a_request_that_another_page_makes_is_refused(service, header, path):
    """A browser says which page asks: that of another site, or of nowhere, may not."""
    line = header.format(port=service.port)
    status, text = service.raw(f"POST {path} HTTP/1.1", line, "Content-Length: 0")

    assert (status, '"E_ORIGIN"' in text) == (403, True)
    assert service.runtime.snapshot.generation == 1


def test_its_own_page_may_ask(service):
    """The origin is the very name under which it is reached."""
    own = f"Origin: http://127.0.0.1:{service.port}"
    same, _ = service.raw(STATUS, own, "Sec-Fetch-Site: same-origin")
    typed, _ = service.raw(STATUS, "Sec-Fetch-Site: none")

    assert (same, typed) == (200, 200)


def test_two_hosts_are_refused(service):
    """What names the server twice means one of them for somebody else."""
    status, _ = service.raw(STATUS, "Host: evil.example")

    assert status in {400, 403}


def test_a_proxy_is_believed_only_if_there_shall_be_one(service, caplog):
    """Without the setting, whoever asks could say to be anyone."""
    lines = "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"
    secure = f"Origin: http://127.0.0.1:{service.port}"
    service.raw(STATUS, *lines, token="no")
    assert "from 127.0.0.1" in caplog.text
    assert service.raw(STATUS, *lines, secure)[0] == 200
    service.configure(address=f"127.0.0.1:{service.port}", behind_proxy=True)
    service.raw(STATUS, "X-Forwarded-For: 198.51.100.1, 192.0.2.7", token="no")

    assert "from 192.0.2.7" in caplog.text
    assert "198.51.100.1" not in caplog.text
    assert service.raw(STATUS, *lines, secure)[0] == 403


def test_every_answer_says_what_a_browser_may_do_with_it(service):
    """Nothing is stored, framed, sniffed or shown to other sites; also no refusal."""
    wanted = {
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "x-frame-options": "DENY",
    }
    with service.client() as client:
        paths = "/api/v1/status", "/nope", "/livez", "/login", "/metrics"
        answers = [client.get(path) for path in paths]
        answers += [client.get("/api/v1/status", headers={"Origin": "null"})]

    for answer in answers:
        headers = answer.headers
        assert {name: headers.get(name) for name in wanted} == wanted
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] in {"no-referrer", "same-origin"}
        assert len(headers.get_list("x-content-type-options")) == 1
        assert "server" not in headers


def test_no_other_site_may_read_an_answer(service):
    """There is no CORS: a preflight is answered as any unknown method is."""
    with service.client() as client:
        answer = client.options("/api/v1/status")

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_unix_socket_is_its_owners(service, tmp_path):
    """Its file has mode 0600, any name will do, and a token is needed all the same."""
    path = tmp_path / "admin.sock"
    outcome = service.configure(address=f"unix:{path}")
    answers = [
        through(path, "anything", *lines)
        for lines in ([], [f"Authorization: Bearer {service.first}"], ["Origin: null"])
    ]

    assert outcome.name == "applied"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert answers == [401, 200, 403]


def through(path, host: str, *lines: str) -> int:
    """Ask by a unix socket; return the status."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        head = [STATUS, f"Host: {host}", "Connection: close", *lines, "", ""]
        sock.sendall("\r\n".join(head).encode())
        data = b""
        while part := sock.recv(65_536):
            data += part
    return int(data.split()[1])


def test_a_proxy_at_a_unix_socket_is_asked_by_name(service, tmp_path):
    """Browsers reach the proxy by any name that points to it: one of `hosts` it is."""
    path = tmp_path / "admin.sock"
    bearer = f"Authorization: Bearer {service.first}"
    names = "midflight.example", "midflight.example:8443", "evil.example", ""
    service.configure(
        address=f"unix:{path}", behind_proxy=True, hosts=["midflight.example"]
    )

    assert [through(path, name, bearer) for name in names] == [200, 200, 403, 403]


def test_a_web_socket_is_refused(service):
    """There is none here, so that nobody gets round the checks by one."""
    status, _ = service.raw(
        STATUS,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        token="no",
    )

    assert status in {400, 401, 403}
