from __future__ import annotations

import pathlib
import socket
import ssl
import threading

import httpx2
import pytest

from midflight.testing import wait_until
from midflight_plugins.admin import AdminModule

STATUS = "/api/v1/status"
OWN = "/api/v1/modules/admin/config"


def test_it_moves_and_the_old_address_lets_go(service):
    """A new address is served from the moment of the change."""
    old = service.port
    outcome = service.configure(address="localhost:0")

    assert outcome.name == "applied"
    assert service.port != old
    assert service.get(STATUS).status_code == 200
    wait_until(lambda: not is_open(old))


def is_open(port: int) -> bool:
    """Tell whether anybody can connect."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except OSError:
        return False


def test_an_address_that_is_taken_changes_nothing(service):
    """It serves as before, on the address that it had."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        before = service.port
        outcome = service.configure(address=f"127.0.0.1:{taken}")
        answer = service.get(STATUS)

    assert outcome.name == "rejected"
    assert service.port == before
    assert answer.json()["rejected"]["reason"] == "prepare_refused"


@pytest.mark.parametrize("wrong", ["missing", "no key", "garbage", "two keys"])
def test_a_certificate_that_cannot_be_used_changes_nothing(
    service, make_certificate, tmp_path, wrong
):
    """It is tried out before the change."""
    certificate, key = make_certificate("one")
    _, other = make_certificate("other")
    (tmp_path / "garbage").write_text("-----BEGIN CERTIFICATE-----\nx\n")
    config = {
        "missing": {"tls_certificate": str(tmp_path / "no")},
        "no key": {"tls_certificate": certificate},
        "garbage": {"tls_certificate": str(tmp_path / "garbage"), "tls_key": key},
        "two keys": {"tls_certificate": certificate, "tls_key": other},
    }[wrong]
    before = service.port
    outcome = service.configure(**config)

    assert outcome.reason == "prepare_refused"
    assert outcome.faults[0].path[-1] == "tls_certificate"
    assert service.port == before
    assert service.get(STATUS).status_code == 200


def trusting(certificate: str) -> ssl.SSLContext:
    """Return what trusts one certificate only."""
    return ssl.create_default_context(cafile=certificate)


def secure_get(service, certificate: str, port: int) -> int:
    """Ask by TLS; return the status."""
    base = f"https://127.0.0.1:{port}"
    with service.client(base_url=base, verify=trusting(certificate)) as client:
        return client.get(STATUS).status_code


def test_tls_comes_and_goes_and_changes_at_the_same_address(service, make_certificate):
    """From the change on, new connections speak as it says; the port stays."""
    port, address = service.port, f"127.0.0.1:{service.port}"
    one, other = make_certificate("one"), make_certificate("other")
    service.configure(address=address, tls_certificate=one[0], tls_key=one[1])
    wait_until(lambda: speaks(port) == "one")
    first = secure_get(service, one[0], port)
    service.configure(address=address, tls_certificate=other[0], tls_key=other[1])
    wait_until(lambda: speaks(port) == "other")
    second = secure_get(service, other[0], port)
    service.configure(address=address)
    wait_until(lambda: speaks(port) == "plain")

    assert (first, second) == (200, 200)
    assert service.get(STATUS).status_code == 200


def test_a_renewed_certificate_is_taken_up(service, make_certificate, caplog):
    """Files that are replaced need no change of the configuration; bad ones no care."""
    one, other = make_certificate("one"), make_certificate("other")
    service.configure(tls_certificate=one[0], tls_key=one[1])
    port, door = service.port, service.runtime.module("admin")._now.door
    pathlib.Path(one[0]).write_text("torn")
    door.renew()
    kept = speaks(port)
    for name, new in zip(one, other, strict=True):
        pathlib.Path(name).write_bytes(pathlib.Path(new).read_bytes())
    door.renew()

    assert (kept, speaks(port)) == ("one", "other")
    assert "keeps its certificate" in caplog.text
    assert secure_get(service, other[0], port) == 200


def speaks(port: int) -> str:
    """Return whose certificate a new connection is shown, or `plain`."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as sock,
            context.wrap_socket(sock) as tls,
        ):
            shown = tls.getpeercert(binary_form=True) or b""
            return "other" if b"other" in shown else "one"
    except OSError:
        return "plain"


def test_a_change_that_fails_elsewhere_is_taken_back_here(service):
    """The new address is given up, and the old one served on, with the old settings."""
    before = service.port
    service.modules["api-limiter"] = {"type": "limiter", "config": {"rate": -1}}
    outcome = service.configure(address="127.0.0.1:0", hosts=["new.example"])

    assert outcome.name == "rejected"
    assert service.port == before
    assert service.get(STATUS).status_code == 200
    assert service.raw(f"GET {STATUS} HTTP/1.1", host="new.example")[0] == 403


def test_it_changes_its_own_address_by_its_own_request(service):
    """Who asks for it gets an answer, by the old address."""
    with service.client() as client:
        answer = client.patch(OWN, json={"address": "localhost:0"})

    assert answer.status_code == 200, answer.text
    assert service.get(STATUS).status_code == 200


def test_a_refusal_of_its_own_request_is_answered_with_the_reason(service):
    """422 with the path of what is wrong; nothing is kept."""
    with service.client() as client:
        answer = client.patch(OWN, json={"address": "0.0.0.0:0"})

    assert answer.status_code == 422
    assert answer.json()["faults"][0]["path"] == "modules.admin.config.address"
    assert service.get(STATUS).json()["rejected"] is None


def test_a_restart_that_its_own_request_causes_is_answered(make_service):
    """With a strategy that restarts everything, the server in the middle of it too."""
    service = make_service(strategy="full")
    before = service.runtime.module("admin")
    path = "/api/v1/modules/api-limiter/config?restart=allow"
    with service.client() as client:
        answer = client.put(path, json={"rate": 5})

    assert answer.status_code == 200, answer.text
    assert service.runtime.module("admin") is not before
    assert service.get(STATUS).json()["generation"] == 2


def test_it_can_be_taken_away_by_its_own_request(service):
    """The last answer comes, then nobody listens."""
    port = service.port
    with service.client() as client:
        url = "/api/v1/overrides?path=modules.admin"
        answer = client.put(url, json={"value": {"$patch": "delete"}})

    assert answer.status_code == 200, answer.text
    assert "admin" not in service.runtime.snapshot.document.modules
    wait_until(lambda: not is_open(port))
    names = {thread.name for thread in threading.enumerate()}
    wait_until(lambda: "admin-end" not in names or "admin-end" not in alive())


def alive() -> set[str]:
    """Return the names of the threads that run."""
    return {thread.name for thread in threading.enumerate()}


def test_settings_change_without_a_new_connection(service):
    """Limits and names apply to connections that are open."""
    port = service.port
    with service.client() as client:
        before = client.get(STATUS).status_code
        service.configure(address=f"127.0.0.1:{port}", body_limit=10)
        after = client.patch(OWN, json={"hosts": ["a-name-that-is-too-long"]})

    assert (before, after.status_code) == (200, 413)


def test_a_stopped_service_lets_go_of_its_address(service):
    """Nothing is left behind: no thread, no socket."""
    port = service.port
    service.runtime.stop()
    left = [name for name in alive() if name.startswith("midflight-http-admin")]

    assert not is_open(port)
    assert left == []
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{port}/livez")


def test_one_that_cannot_be_closed_in_time_lets_go_of_its_address(make_service):
    """It is ended all the same, and the error is noted."""

    class Late(AdminModule):
        def close(self):
            raise TimeoutError("its loop is blocked")

    service = make_service(admin=Late)
    port = service.port
    service.runtime.stop()
    left = [name for name in alive() if name.startswith("midflight-http-admin")]

    assert not is_open(port)
    assert left == []


def test_a_hundred_changes_leave_nothing_behind(service):
    """Sockets and threads are as many as before."""
    port, names = service.port, sorted(alive())
    for n in range(100):
        service.configure(address=f"127.0.0.1:{port}", hosts=[f"h{n}.example"])

    wait_until(lambda: sorted(alive()) == names)
    assert service.get(STATUS).json()["generation"] == 101
    assert len(service.runtime.module("admin")._leaving) == 0
