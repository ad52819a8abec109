from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import uuid

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from midflight.testing import Server

PASSWORD = "s3cret/of:the#house"


class NatsServer(Server):
    """A NATS with JetStream that asks for a login."""

    program, package = "nats-server", "nats-server"

    def command(self):
        login = ("--user", "ada", "--pass", PASSWORD)
        where = ("-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self.folder))
        return [self.path, "-js", *where, *login]

    def answers(self):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), 1) as sock,
        ):
            return sock.recv(4) == b"INFO"
        return False

    def url(self, bucket, key="shop", port=None, query=""):
        """Return the URI of a key; the password is referred to."""
        login = "ada:${MIDFLIGHT_TEST_NATS}"
        return f"nats://{login}@127.0.0.1:{port or self.port}{query}#{bucket}/{key}"

    def do(self, act):
        """Return what `act(jetstream)` gives, on a connection of its own."""

        async def main():
            client = Client()
            where = f"nats://127.0.0.1:{self.port}"
            await client.connect(where, user="ada", password=PASSWORD)
            try:
                return await act(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(main())


class Bucket:
    """A bucket of its own, with what its operator does."""

    def __init__(self, server):
        self.server, self.name = server, f"b{uuid.uuid4().hex}"
        self.make()

    def make(self, history=10):
        """Make it; a NATS 2.9 that falls over a key being read meanwhile is revived."""
        config = {"bucket": self.name, "history": history}
        try:
            self.server.do(lambda jetstream: jetstream.create_key_value(**config))
        except NatsError:
            if self.server.process.poll() is None:
                raise
            self.server.kill()
            self.server.start()
            self.make(history)

    def drop(self):
        self.server.do(lambda jetstream: jetstream.delete_key_value(self.name))

    def put(self, text, key="shop"):
        return self._do("put", key, text.encode())

    def delete(self, key="shop"):
        self._do("delete", key)

    def purge(self, key="shop"):
        self._do("purge", key)

    def get(self, key="shop"):
        return self._do("get", key).value

    def _do(self, what, *args):
        async def act(jetstream):
            bucket = await jetstream.key_value(self.name)
            return await getattr(bucket, what)(*args)

        return self.server.do(act)


@pytest.fixture(scope="session")
def shared():
    """A server for all tests; none may leave it stopped."""
    with NatsServer() as server:
        yield server


@pytest.fixture
def own():
    """A server that a test may do anything to."""
    with NatsServer() as server:
        yield server


@pytest.fixture
def bucket(shared):
    """A bucket that no other test has."""
    return Bucket(shared)


@pytest.fixture
def lone_bucket(own):
    """A bucket of a server that a test may do anything to."""
    return Bucket(own)


@pytest.fixture(autouse=True)
def password(monkeypatch):
    """The password of the servers, where a URI refers to it."""
    monkeypatch.setenv("MIDFLIGHT_TEST_NATS", PASSWORD)
    return PASSWORD


@pytest.fixture
def numbers():
    """Texts that never come again."""
    return (f"n: {number}\n" for number in itertools.count(1))
