from __future__ import annotations

import contextlib
import itertools
import uuid

import pytest
import redis

from midflight.testing import Server

PASSWORD = "s3cret/of:the#house"


class RedisServer(Server):
    """A Redis that writes down what it acknowledges, and asks for a password."""

    program, package = "redis-server", "redis-server"
    durable = True
    options: tuple[str, ...] = ("--requirepass", PASSWORD)

    def command(self):
        keep = "yes" if self.durable else "no"
        return [
            *(self.path, "--bind", "127.0.0.1", "--port", str(self.port)),
            *("--dir", str(self.folder), "--save", "", "--appendonly", keep),
            *("--appendfsync", "always", *self.options),
        ]

    def client(self, db=0):
        """Return a client that sees the texts as bytes."""
        return redis.Redis(port=self.port, db=db, password=PASSWORD, protocol=2)

    def answers(self):
        with contextlib.suppress(redis.ConnectionError), self.client() as client:
            return client.ping()
        return False

    def url(self, key, query="", port=None):
        """Return the URI of a key; the password is referred to."""
        login = "default:${MIDFLIGHT_TEST_REDIS}"
        return f"redis://{login}@127.0.0.1:{port or self.port}/0{query}#{key}"


@pytest.fixture(scope="session")
def shared():
    """A server for all tests; none may leave it stopped."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def own():
    """A server that a test may do anything to."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def replica(own):
    """A server that holds what `own` holds, and takes no writes."""
    with RedisServer() as server, server.client() as client:
        client.config_set("masterauth", PASSWORD)
        client.replicaof("127.0.0.1", str(own.port))
        yield server


@pytest.fixture
def key():
    """A key that no other test has."""
    return f"shop-{uuid.uuid4().hex}"


@pytest.fixture(autouse=True)
def password(monkeypatch):
    """The password of the servers, where a URI refers to it."""
    monkeypatch.setenv("MIDFLIGHT_TEST_REDIS", PASSWORD)
    return PASSWORD


@pytest.fixture
def numbers():
    """Texts that never come again."""
    return (f"n: {number}\n" for number in itertools.count(1))
