"""Real servers of etcd, and a key of its own in them for each test."""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import os
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from midflight import Runtime
from midflight.testing import Server, free_port
from midflight_etcd import EtcdSource

PASSWORD = "s3same/#?@:% open"
ROOT = "root:root-of-all"


class Etcd(Server):
    """An etcd of one member."""

    program, package = "etcd", "etcd-server"
    scheme = "http"
    options: Any = ()  # of etcd
    words: Any = ()  # for etcdctl

    def __init__(self):
        super().__init__()
        self.peers = f"http://127.0.0.1:{free_port()}"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self):
        return f"{self.scheme}://{self.address}"

    def command(self):
        options = {
            "name": "t",
            "data-dir": self.folder / "data",
            "listen-client-urls": self.origin,
            "advertise-client-urls": self.origin,
            "listen-peer-urls": self.peers,
            "initial-advertise-peer-urls": self.peers,
            "initial-cluster": f"t={self.peers}",
        }
        pairs = [each for name in options for each in (f"--{name}", options[name])]
        return [self.path, *pairs, "--unsafe-no-fsync", *self.options]

    def answers(self):
        try:
            self.ctl("endpoint", "health")
        except subprocess.CalledProcessError:
            return False
        return True

    def ctl(self, *words, data=""):
        """Run `etcdctl`, the operator's own client, and return what it prints."""
        done = subprocess.run(
            ["etcdctl", "--endpoints", self.origin, *self.words, *words],
            input=data,
            capture_output=True,
            check=True,
            timeout=20,
            text=True,
            env={**os.environ, "ETCDCTL_API": "3"},
        )
        return done.stdout

    def put(self, key, text):
        """Write a key, faster than a program starts."""
        coded = (base64.b64encode(each.encode()).decode() for each in (key, text))
        body = json.dumps(dict(zip(("key", "value"), coded, strict=True))).encode()
        urllib.request.urlopen(f"{self.origin}/v3/kv/put", body, timeout=5).close()


class EtcdWithUsers(Etcd):
    """An etcd that asks who you are: `shop`, with `PASSWORD`, may use its keys."""

    def set_up(self):
        self.ctl("user", "add", ROOT)
        self.ctl("user", "add", f"shop:{PASSWORD}")
        self.ctl("role", "add", "shop")
        words = ("readwrite", "/midflight/", "--prefix=true")
        self.ctl("role", "grant-permission", "shop", *words)
        self.ctl("user", "grant-role", "shop", "shop")
        self.ctl("user", "grant-role", "root", "root")
        self.ctl("auth", "enable")
        self.words = ("--user", ROOT)

    def put(self, key, text):
        self.ctl("put", key, data=text)


class EtcdWithTls(Etcd):
    """An etcd that shows a certificate, and wants to see one."""

    scheme = "https"

    def __init__(self):
        super().__init__()
        for name in ("ca", "etcd", "shop"):
            self._certify(name)
        self.ca, self.cert = self.folder / "ca.pem", self.folder / "shop.pem"
        ours = self.folder / "etcd.pem"
        self.options = ("--cert-file", ours, "--key-file", ours, "--client-cert-auth")
        self.options += ("--trusted-ca-file", self.ca)
        self.words = ("--cacert", self.ca, "--cert", self.cert, "--key", self.cert)

    def put(self, key, text):
        self.ctl("put", key, data=text)

    def _certify(self, name):
        """Write a certificate with its key; the first is the authority's."""
        key = ec.generate_private_key(ec.SECP256R1())
        called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        if name == "ca":
            self.issuer, self.signs = called, key
        here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        now, day = datetime.now(UTC), timedelta(days=1)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=name == "ca",
            crl_sign=name == "ca",
            encipher_only=False,
            decipher_only=False,
        )
        made = (
            x509.CertificateBuilder(self.issuer, called, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.SubjectAlternativeName([here]), critical=False)
            .add_extension(usage, critical=True)
            .add_extension(x509.BasicConstraints(name == "ca", None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.signs.public_key()
                ),
                critical=False,
            )
            .sign(self.signs, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        text = made.public_bytes(pem)
        if name != "ca":
            kind, secret = serialization.PrivateFormat, serialization.NoEncryption()
            text += key.private_bytes(pem, kind.PKCS8, secret)
        (self.folder / f"{name}.pem").write_bytes(text)


class Store:
    """What is under one key, written and deleted as others would."""

    numbers = itertools.count(1)

    def __init__(self, server, login="", **options):
        self.server, self.key = server, f"/midflight/shop-{next(self.numbers)}"
        self.uri = f"etcd://{login}{server.address}#{self.key}"
        self.source = EtcdSource(self.uri, **options)
        self.change()

    def write(self, text):
        self.server.put(self.key, text)

    def change(self):
        self.number = next(self.numbers)
        config = {"every": self.number + 0.5}
        self.write(json.dumps({"modules": {}, "shop": config}))

    def delete(self):
        self.server.ctl("del", self.key)

    def revision(self):
        """Return the newest revision of the whole store."""
        status = json.loads(self.server.ctl("endpoint", "status", "-w", "json"))
        return status[0]["Status"]["header"]["revision"]

    def shows(self, runtime):
        """Tell whether a runtime has what was written last."""
        return runtime.snapshot.document.sections["shop"]["every"] == self.number + 0.5


@pytest.fixture(scope="session")
def started():
    """An etcd for the whole run."""
    with Etcd() as server:
        yield server


@pytest.fixture
def etcd(started):
    """The same, running again at the end of the test."""
    yield started
    started.start()


@pytest.fixture
def store(etcd):
    """A key of its own for each test."""
    return Store(etcd)


@pytest.fixture
def alone():
    """The only key of an etcd of its own."""
    with Etcd() as server:
        yield Store(server)


@pytest.fixture
def running(store):
    """A service that follows the store."""
    with Runtime(store.uri, watch=True, sweep=1.0, backoff=1.0) as runtime:
        yield runtime


@pytest.fixture(scope="session")
def started_with_users():
    """An etcd with users for the whole run."""
    with EtcdWithUsers() as server:
        server.set_up()
        yield server


@pytest.fixture
def guarded(started_with_users):
    """A key that a password is needed for."""
    yield Store(started_with_users, f"shop:{quote(PASSWORD, '')}@")
    started_with_users.start()


@pytest.fixture
def with_tls():
    """A key that is reached by TLS alone."""
    with EtcdWithTls() as server:
        yield Store(server, ca=str(server.ca), cert=str(server.cert))


@pytest.fixture
def password():
    """The password of `shop`."""
    return PASSWORD
