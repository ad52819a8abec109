"""A server that is alive and answers nothing, as tests of outages need one."""

from __future__ import annotations

import socket
import sys

import pytest

from midflight.testing import Server

SHORT = 0.1  # s, in which an answer comes if there is one

# The port is served by a child, as of a server with workers.
ECHO = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
if os.fork():
    os.wait()
while True:
    connection, _ = listener.accept()
    with connection:
        while data := connection.recv(99):
            connection.sendall(data)
"""


class Echo(Server):
    program = sys.executable

    def command(self):
        return [self.path, "-Ic", ECHO, str(self.port)]


def test_a_silenced_server_takes_connections_and_answers_later():
    """With all of its processes it stands still, and goes on where it was."""
    with Echo() as server:
        with server.silenced():
            client = socket.create_connection(("127.0.0.1", server.port), SHORT)
            client.sendall(b"hello")
            with pytest.raises(TimeoutError):
                client.recv(99)
        client.settimeout(5)

        assert client.recv(99) == b"hello"
        client.close()


def test_a_silenced_server_can_be_killed():
    """Its end is not kept from it, nor from a test that fails meanwhile."""
    with Echo() as server, server.silenced():
        server.kill()

        assert server.process is None
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), SHORT)
