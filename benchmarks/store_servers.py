"""Stores for the benchmarks: a real server each, a writer, the client's own watch."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import importlib.util
import json
import os
import socket
import threading
import uuid

import common

from midflight.testing import Server, free_port


def document(rate: int) -> str:
    """Return the text of a small configuration: the source is measured, not YAML."""
    return f"modules:\n  - name: m\n    type: limiter\n    config: {{rate: {rate}}}\n"


def connected(port: int) -> http.client.HTTPConnection:
    """Return a connection that sends what it has at once."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Store:
    """One key of a store; `name`, `library` and `program` say what it needs."""

    name = library = program = ""
    turns = 1  # for one of others: more where the wait for the next look is chance
    server_type: type[Server] = Server

    @classmethod
    def missing(cls) -> str:
        """Return what is not installed, empty if all is."""
        import shutil

        path = f"{os.environ.get('PATH', '')}:/usr/sbin"
        distribution = cls.name.partition("-")[0]
        if importlib.util.find_spec(f"midflight_{distribution}") is None:
            return f"pip install ./contrib_sources/{distribution}"
        if cls.library and not common.version(cls.library.partition("[")[0]):
            return f"pip install '{cls.library}'"
        if cls.program and shutil.which(cls.program, path=path) is None:
            return f"there is no `{cls.program}`"
        return ""

    def __enter__(self):
        self.server = self.server_type()
        self.key = f"shop-{uuid.uuid4().hex}"
        self.server.__enter__()
        self.opened()
        return self

    def __exit__(self, *error: object) -> None:
        self.closed()
        self.server.__exit__(*error)

    def opened(self) -> None:
        """Open what writes."""

    def closed(self) -> None:
        """Close it."""


class RedisServer(Server):
    """Redis, in memory."""

    program = package = "redis-server"

    def command(self):
        where = ["--bind", "127.0.0.1", "--port", str(self.port)]
        return [self.path, *where, "--save", "", "--dir", str(self.folder)]


class Redis(Store):
    """A key of Redis."""

    name, program, server_type = "redis", "redis-server", RedisServer

    def opened(self):
        import redis

        self.client = redis.Redis(port=self.server.port, protocol=2)

    def closed(self):
        self.client.close()

    def write(self, rate):
        self.client.set(self.key, document(rate))

    def source(self):
        return f"redis://127.0.0.1:{self.server.port}/0#{self.key}"

    @contextlib.contextmanager
    def bare(self, arrived):
        """Track the key on a connection of its own."""
        import redis

        pool = redis.ConnectionPool(port=self.server.port, protocol=3)
        connection = pool.make_connection()
        connection.connect()
        connection.send_command("CLIENT TRACKING ON BCAST PREFIX", self.key)
        connection.read_response()
        stopped = threading.Event()

        def look():
            while not stopped.is_set():
                if connection.can_read(0.2):
                    connection.read_response(push_request=True)
                    arrived(None)

        with common.beside(look, stopped.set):
            yield
        connection.disconnect()


class EtcdServer(Server):
    """etcd of one member."""

    program, package = "etcd", "etcd-server"

    def command(self):
        peers, here = (f"http://127.0.0.1:{p}" for p in (free_port(), self.port))
        options = {
            "name": "t",
            "data-dir": self.folder / "data",
            "listen-client-urls": here,
            "advertise-client-urls": here,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"t={peers}",
        }
        pairs = [f"--{name}={value}" for name, value in options.items()]
        return [self.path, *pairs, "--unsafe-no-fsync"]


class Etcd(Store):
    """A key of etcd; the bare watch is a stream of its HTTP gateway."""

    name, program, server_type = "etcd", "etcd", EtcdServer

    def opened(self):
        self.connection = connected(self.server.port)

    def closed(self):
        self.connection.close()

    def write(self, rate):
        words = {"key": coded(self.key), "value": coded(document(rate))}
        self.connection.request("POST", "/v3/kv/put", json.dumps(words))
        self.connection.getresponse().read()

    def source(self):
        return f"etcd://127.0.0.1:{self.server.port}#{self.key}"

    @contextlib.contextmanager
    def bare(self, arrived):
        """Read the stream of a watch line by line."""
        stream = http.client.HTTPConnection("127.0.0.1", self.server.port)
        watch = {"create_request": {"key": coded(self.key)}}
        stream.request("POST", "/v3/watch", json.dumps(watch))
        sock, lines = stream.sock, stream.getresponse()

        def look():
            with contextlib.suppress(OSError, http.client.HTTPException):
                while lines.readline():
                    arrived(None)

        with common.beside(look, lambda: sock.shutdown(socket.SHUT_RDWR)):
            yield
        lines.close()
        stream.close()


def coded(text: str) -> str:
    """Return a text as etcd's gateway takes it."""
    return base64.b64encode(text.encode()).decode()


class NatsServer(Server):
    """NATS with JetStream."""

    program = package = "nats-server"

    def command(self):
        where = ["-a", "127.0.0.1", "-p", str(self.port)]
        return [self.path, *where, "-js", "-sd", str(self.folder)]


class Nats(Store):
    """A key of a bucket of NATS."""

    name, program, server_type = "nats", "nats-server", NatsServer

    def opened(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.client = self.run(self.connected())
        self.bucket = self.run(self.client.jetstream().create_key_value(bucket="b"))

    def closed(self):
        self.run(self.client.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def connected(self):
        import nats

        return await nats.connect(f"nats://127.0.0.1:{self.server.port}")

    def run(self, coroutine):
        """Run a coroutine on the loop of the writer."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def write(self, rate):
        self.run(self.bucket.put(self.key, document(rate).encode()))

    def source(self):
        return f"nats://127.0.0.1:{self.server.port}#b/{self.key}"

    @contextlib.contextmanager
    def bare(self, arrived):
        """Watch the key on a loop and a connection of its own."""
        runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        loop, ready = runner.get_loop(), threading.Event()

        async def watch():
            client = await self.connected()
            bucket = await client.jetstream().key_value("b")
            watcher = await bucket.watch(self.key)
            ready.set()
            try:
                async for _ in watcher:
                    arrived(None)
            finally:
                await client.close()

        task = loop.create_task(watch())

        def look():
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
            runner.close()  # and what an ordered consumer of nats-py leaves running

        stop = lambda: loop.call_soon_threadsafe(task.cancel)  # noqa: E731
        with common.beside(look, stop):
            ready.wait(20)
            yield


STORES = (Redis, Etcd, Nats)
