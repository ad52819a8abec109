"""A put is stored once or not at all, and says which, or that nobody can tell."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from http.client import HTTPConnection

import pytest

from midflight import Document, Runtime
from midflight.errors import (
    ConflictError,
    InvalidConfigurationError,
    SourceUnavailableError,
    UnknownOutcomeError,
)

DOCUMENT = Document.from_mapping({"modules": {}, "shop": {"every": 1.5}})


@contextlib.contextmanager
def broken_way(server, *, before_swaps=False):
    """A way to etcd on which swaps arrive and their answers do not, or none arrives."""

    class Way(socketserver.StreamRequestHandler):
        def handle(self):
            head = self.rfile.readline().decode().split()[1]
            length = 0
            while line := self.rfile.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            ahead = HTTPConnection(server.address, timeout=5)
            ahead.request("POST", head, self.rfile.read(length))
            answer = ahead.getresponse().read()
            ahead.close()
            if before_swaps:
                way.socket.shutdown(socket.SHUT_RDWR)  # refuses the next
            if not head.endswith("/txn"):
                size = f"Content-Length: {len(answer)}\r\n\r\n"
                self.wfile.write(f"HTTP/1.1 200 OK\r\n{size}".encode() + answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Way) as way:
        thread = threading.Thread(target=way.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield way.server_address[1]
        finally:
            way.shutdown()
            thread.join()


def test_a_lost_answer_is_no_success_and_no_failure(store):
    """A put that was stored, though its answer never came, is told as unknown."""
    base = Runtime(store.source).read()[1].version
    with broken_way(store.server) as port:
        runtime = Runtime(f"etcd://127.0.0.1:{port}#{store.key}")
        with pytest.raises(UnknownOutcomeError, match=f"on revision {base}"):
            runtime.put(DOCUMENT, expected_version=base)
    document, loaded = Runtime(store.source).read()

    assert document == DOCUMENT
    assert loaded.version != base
    # Whoever repeats it on what is there learns that nothing is left to do.
    again = Runtime(store.source).put(DOCUMENT, expected_version=loaded.version)
    assert again == loaded.version


def test_a_put_that_was_never_sent_is_a_failure(store):
    """Without a connection nothing can have been stored."""
    base = Runtime(store.source).read()[1].version
    with broken_way(store.server, before_swaps=True) as port:
        runtime = Runtime(f"etcd://127.0.0.1:{port}#{store.key}")
        with pytest.raises(SourceUnavailableError, match="refused"):
            runtime.put(DOCUMENT, expected_version=base)

    assert Runtime(store.source).read()[1].version == base


def test_the_first_put_makes_the_key(store):
    """Where no version is expected there must be none."""
    runtime = Runtime(store.source)
    with pytest.raises(ConflictError, match="None is not the head"):
        runtime.put(DOCUMENT, expected_version=None)
    store.delete()
    version = runtime.put(DOCUMENT, expected_version=None)

    assert runtime.read()[1].version == version


def test_what_cannot_be_read_is_replaced_by_its_token(store):
    """Where there is no version to tell, the token of what is there says it all."""
    runtime = Runtime(store.source)
    store.write("modules: [")
    token = runtime.source(store.source).invoke("hash")
    with pytest.raises(ConflictError):
        runtime.put(DOCUMENT, expected_version=token[:-1])
    version = runtime.put(DOCUMENT, expected_version=token)
    document, loaded = runtime.read()

    assert (document, loaded.version) == (DOCUMENT, version)
    with pytest.raises(ConflictError):
        runtime.put(DOCUMENT, expected_version=token)


def test_a_deletion_meanwhile_is_a_conflict(store):
    """What was deleted is not brought back by who did not know."""
    runtime = Runtime(store.source)
    base = runtime.read()[1].version
    store.delete()

    with pytest.raises(ConflictError):
        runtime.put(DOCUMENT, expected_version=base)


def test_what_the_format_cannot_hold_is_refused(store):
    """A key in TOML is not overwritten with JSON."""
    store.write("[shop]\nevery = 2.5\n")
    runtime = Runtime(f"{store.uri}".replace("#", "?format=toml#"))
    base = runtime.read()[1].version
    with pytest.raises(InvalidConfigurationError, match="cannot be written as toml"):
        runtime.put(DOCUMENT, expected_version=base)
    text = "modules = {}\n[shop]\nevery = 1.5  # why\n"
    runtime.put(DOCUMENT, expected_version=base, text=text)

    assert runtime.read()[0] == DOCUMENT
