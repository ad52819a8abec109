from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import threading
from pathlib import Path
from typing import Any

import attrs
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from midflight import Runtime, hookimpl
from midflight_plugins.admin import AdminModule
from midflight_plugins.admin._tokens import NAME, Tokens
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource


@attrs.frozen
class Limits:
    rate: int = 1


class Limiter:
    """A module that waits at a gate before it starts, if the test closes it."""

    Config = Limits
    gate = threading.Event()
    waits = threading.Event()

    def __init__(self, name):
        self.name = name

    @hookimpl
    def prepare(self, config):
        if config.rate < 0:
            raise ValueError("a rate is not negative")
        if config.rate == 99:
            self.waits.set()
            assert self.gate.wait(20)

    @hookimpl
    def start(self, config):
        self.rate = config.rate

    @hookimpl
    def reconfigure(self, config):
        self.rate = config.rate


@attrs.define(eq=False)
class Service:
    """A runtime with an admin, and ways to ask it."""

    runtime: Runtime
    base: MemorySource
    folder: Path
    modules: dict[str, Any]

    @property
    def port(self) -> int:
        return self.runtime.probe("admin").values["port"]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.folder / NAME)

    @property
    def first(self) -> str:
        """The token of the first administrator."""
        return (self.folder / "admin.token").read_text().strip()

    def token(self, *scopes: str, name: str = "tester", seconds=None) -> str:
        """Make a token."""
        return self.tokens.create(name, scopes, seconds)

    def client(self, token: str | None = None, **options: Any) -> httpx2.Client:
        """Return a client that sends a token, by default the administrator's."""
        bearer = {"Authorization": f"Bearer {self.first if token is None else token}"}
        headers = bearer | options.pop("headers", {})
        # reading the certificates of the system would take longer than the test
        given: Any = {"base_url": self.address, "timeout": 20, "verify": False}
        return httpx2.Client(headers=headers, **given | options)

    def get(self, path: str, token: str | None = None, **options: Any):
        """Ask once, on a connection of its own."""
        with self.client(token) as client:
            return client.get(path, **options)

    def configure(self, **config: Any):
        """Change the admin's own configuration; return the outcome."""
        entry = {"type": "admin", "config": {"address": "127.0.0.1:0", **config}}
        self.modules["admin"] = entry
        self.base.set({"modules": self.modules})
        return self.runtime.reload()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def raw(self, *lines: str, token: str | None = None, host: str | None = None):
        """Send the lines of a request's head; return status and whole answer."""
        name = host if host is not None else f"127.0.0.1:{self.port}"
        head = [lines[0], f"Host: {name}", "Connection: close", *lines[1:]]
        head.append(f"Authorization: Bearer {self.first if token is None else token}")
        with self.connect() as sock:
            sock.sendall("\r\n".join([*head, "", ""]).encode())
            return answer_of(sock)


def answer_of(sock: socket.socket) -> tuple[int, str]:
    """Return the status and all that comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65_536):
            parts.append(part)
    text = b"".join(parts).decode()
    return (int(text.split()[1]) if text else 0), text


@pytest.fixture
def make_service(tmp_path, request):
    """A function that starts a service; it is stopped after the test."""
    Limiter.gate.clear()
    Limiter.waits.clear()

    def make(
        *, strategy: str = "surgical", admin: type = AdminModule, **config: Any
    ) -> Service:
        entry = {"type": "admin", "config": {"address": "127.0.0.1:0", **config}}
        limiter = {"type": "limiter", "config": {"rate": 1}}
        modules: dict[str, Any] = {"admin": entry, "api-limiter": limiter}
        base = MemorySource({"modules": modules})
        state = tmp_path / "state"
        runtime = Runtime(
            [base, OverridesSource()],
            modules={"admin": admin, "limiter": Limiter},
            state_dir=state,
            strategy=strategy,
        )
        request.addfinalizer(runtime.stop)
        request.addfinalizer(Limiter.gate.set)
        runtime.start()
        return Service(runtime, base, state, modules)

    return make


@pytest.fixture
def service(make_service):
    """A service on a free port of the loopback."""
    return make_service()


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """Write a certificate for 127.0.0.1 and its key; return the files' names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    pem = serialization.Encoding.PEM
    paths[0].write_bytes(built.public_bytes(pem))
    kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(pem, kind, none))
    paths[1].chmod(0o600)
    return str(paths[0]), str(paths[1])


@pytest.fixture
def make_certificate(tmp_path):
    """A function that writes a certificate and its key."""
    return lambda name="site": certificate(tmp_path, name)
