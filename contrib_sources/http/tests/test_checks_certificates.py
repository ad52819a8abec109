"""A server of `https` proves who it is, by name."""

from __future__ import annotations

import datetime
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from midflight.errors import SourceUnavailableError
from midflight.testing import wait_until
from midflight_http import HttpSource

NAME = "config.example"


def certificate(folder):
    """Write a certificate for `NAME`, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), serial_number=1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    pem = serialization.Encoding.PEM
    public.write_bytes(made.public_bytes(pem))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(pem, form, none))
    return public, private


@pytest.fixture
def secure(page, tmp_path_factory):
    """Return a page of a server of `https`, and the file that certifies it."""
    server = type(page.server)()
    server.certificate = certificate(server.folder)
    with server:
        yield type(page)(server)


def source(page, host=NAME, **options):
    """Return the source of a page, under a name of the server."""

    def resolve(_, port, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    url = page.url(host=host).replace("http:", "https:")
    return HttpSource(url, resolve=resolve, timeout=5, **options)


def test_a_certificate_is_checked_by_name(secure):
    """The name of the URL has to be certified, although an address is connected to."""
    ca_file = str(secure.server.certificate[0])

    assert source(secure, ca_file=ca_file).hash()
    with pytest.raises(SourceUnavailableError, match="Hostname mismatch"):
        source(secure, "other.example", ca_file=ca_file).hash()


def test_a_stranger_certifies_nobody(secure):
    """Without `ca_file` only the system's authorities count."""
    with pytest.raises(SourceUnavailableError, match="certificate verify failed"):
        source(secure).hash()


def test_events_come_by_https_and_end(secure):
    """A stream that is encrypted can be left at any time."""
    hints = []
    options = {"ca_file": str(secure.server.certificate[0])}
    follows = source(secure, sse=f"/events/{secure.file.name}", **options)
    with follows.watch(lambda: hints.append(1)):
        wait_until(lambda: hints)
        secure.change()
        wait_until(lambda: len(hints) > 1)
