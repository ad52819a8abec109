from __future__ import annotations

import contextlib
import datetime
import http.client
import ipaddress
import logging
import socket
import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

RED = "apps_under_test:red"


def received(sock: socket.socket) -> bytes:
    """Return all that comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_a_client_that_never_asks_is_hung_up_on(make_site):
    """`head_timeout` ends a connection that has sent half of a head, or nothing."""
    site = make_site(app=RED, head_timeout=0.3)
    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=20) as silent,
        socket.create_connection(("127.0.0.1", site.port), timeout=20) as slow,
    ):
        slow.sendall(b"GET / HTTP/1.1\r\n")
        data = [received(silent), received(slow)]

    assert data == [b"", b""]
    assert site.ask()["app"] == "red"


def ended(connection: http.client.HTTPConnection) -> bool:
    """Tell whether the server has hung up."""
    try:
        return connection.sock.recv(1) == b""
    except ConnectionError:
        return True


def test_one_connection_too_many_ends_the_idlest(make_site):
    """`connections` keeps those that ask, and lets a newcomer in."""
    site = make_site(app=RED, connections=2, keep_alive_timeout=60)
    first, second, third = (site.connect() for _ in range(3))
    for connection in (first, second, third):
        connection.request("GET", "/")
        connection.getresponse().read()
    third.request("GET", "/")
    answered = third.getresponse().status

    assert answered == 200
    assert ended(first)
    for connection in (first, second, third):
        connection.close()


@pytest.mark.parametrize("wanted", [True, False])
def test_requests_are_logged_if_the_settings_say_so(make_site, caplog, wanted):
    """Whatever handlers the logger has, and also on the first connection."""
    caplog.set_level(logging.INFO, "uvicorn.access")
    site = make_site(app=RED, access_log=wanted)
    site.ask()

    assert ("GET / HTTP/1.1" in caplog.text) is wanted


def test_the_file_of_a_socket_has_the_permissions_that_are_set(make_site, tmp_path):
    """From the start, and after a change of them alone."""
    path = tmp_path / "web.sock"
    site = make_site(app=RED, uds=str(path), uds_permissions="0600")
    modes = [stat.S_IMODE(path.stat().st_mode)]
    site.change(app=RED, uds=str(path), uds_permissions="0660")
    modes.append(stat.S_IMODE(path.stat().st_mode))

    assert modes == [0o600, 0o660]


def certificate(folder) -> str:
    """Write a certificate for 127.0.0.1 with its key; return the file's name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "site")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    built = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, path = serialization.Encoding.PEM, folder / "site.pem"
    kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, kind, none) + built.public_bytes(pem))
    return str(path)


def test_it_speaks_tls_and_a_bad_certificate_is_refused(make_site, tmp_path):
    """One file may hold both; what cannot be used changes nothing."""
    pem = certificate(tmp_path)
    site = make_site(app=RED, tls_certificate=pem)
    context = ssl.create_default_context(cafile=pem)
    connection = http.client.HTTPSConnection("127.0.0.1", site.port, context=context)
    outcome = site.change(app=RED, tls_certificate=str(tmp_path / "none"))
    connection.request("GET", "/")
    status = connection.getresponse().status
    connection.close()

    assert outcome.reason == "prepare_refused"
    assert status == 200
