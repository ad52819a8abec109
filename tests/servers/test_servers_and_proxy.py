"""What other tests rely on when they say that a server or a network failed."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from midflight.testing import wait_until

SHORT = 0.1  # s, in which data arrives if it is passed on at all


@pytest.fixture
def echo():
    """A server that sends back what it gets; gives its port and its connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections, threads = [], []

    def answer(connection):
        try:
            while data := connection.recv(4096):
                connection.sendall(data)
        except OSError:
            pass
        connection.close()

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threads.append(threading.Thread(target=answer, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    yield listener.getsockname()[1], connections
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in (acceptor, *threads):
        thread.join()


@pytest.fixture
def proxy(tcp_proxy, echo):
    """A proxy before `echo`."""
    yield (made := tcp_proxy(echo[0]))
    made.close()  # before the echo, which waits for its connections


@pytest.fixture
def connect(proxy):
    """Connects to the proxy; what is connected is closed with the test."""
    opened = []

    def make():
        opened.append(socket.create_connection(("127.0.0.1", proxy.port), timeout=5))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def exchange(client, data):
    """Send data and return what comes back."""
    client.sendall(data)
    return client.recv(4096)


def is_silent(client):
    """Tell whether neither data nor an end arrives."""
    client.settimeout(SHORT)
    try:
        client.recv(4096)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False


def test_a_frozen_connection_is_silent_and_goes_on_where_it_stopped(proxy, connect):
    """While frozen, a connection gives neither data nor an end."""
    client = connect()
    assert exchange(client, b"one") == b"one"

    proxy.freeze()
    client.sendall(b"two")

    assert is_silent(client)
    proxy.thaw()
    assert client.recv(4096) == b"two"


def test_a_frozen_client_does_not_learn_that_its_server_has_gone(proxy, connect, echo):
    """The end of the server's connection does not reach a frozen client."""
    client = connect()
    assert exchange(client, b"one") == b"one"

    proxy.freeze()
    echo[1][0].shutdown(socket.SHUT_RDWR)

    assert is_silent(client)
    proxy.thaw()
    assert client.recv(4096) == b""


def test_new_connections_pass_beside_frozen_ones_if_asked(proxy, connect):
    """`freeze(new=True)` holds what is open and lets through what comes."""
    old = connect()
    assert exchange(old, b"one") == b"one"

    proxy.freeze(new=True)
    old.sendall(b"two")

    assert exchange(connect(), b"three") == b"three"
    assert is_silent(old)


def test_new_connections_wait_while_all_is_frozen(proxy, connect):
    """Without `new`, a connection made while frozen is accepted and then waits."""
    proxy.freeze()
    client = connect()
    client.sendall(b"one")

    assert is_silent(client)
    proxy.thaw()
    assert client.recv(4096) == b"one"


def test_a_cut_connection_is_reset(proxy, connect):
    """`cut` resets the client; a new connection works."""
    client = connect()
    assert exchange(client, b"one") == b"one"

    proxy.cut()

    with pytest.raises(ConnectionResetError):
        client.recv(4096)
    assert exchange(connect(), b"two") == b"two"


def test_a_dropped_connection_ends_for_the_server_alone(proxy, connect, echo):
    """`drop` resets the server's side; the client hears nothing, ever."""
    client = connect()
    assert exchange(client, b"one") == b"one"

    proxy.drop()
    wait_until(lambda: echo[1][0].fileno() == -1, "the reset at the server")
    proxy.thaw()

    assert is_silent(client)
    assert exchange(connect(), b"two") == b"two"


def test_an_end_is_passed_on(proxy, connect, echo):
    """In peace, each side learns that the other has closed."""
    client = connect()
    assert exchange(client, b"one") == b"one"

    client.shutdown(socket.SHUT_WR)

    assert client.recv(4096) == b""
    assert echo[1][0].fileno() == -1


def test_data_takes_as_long_as_told(proxy, connect):
    """With a delay, an answer takes that time in each direction."""
    client = connect()
    proxy.delay = SHORT
    began = time.monotonic()

    assert exchange(client, b"one") == b"one"
    assert time.monotonic() - began >= 2 * SHORT


def test_a_proxy_that_refuses_is_refused(proxy, connect):
    """After `refuse` nobody can connect, until `listen`."""
    proxy.refuse()

    with pytest.raises(ConnectionRefusedError):
        connect()
    proxy.listen()
    assert exchange(connect(), b"one") == b"one"


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.servers),
        pytest.param("mariadb", marks=pytest.mark.servers),
    ]
)
def database(request):
    """A server and the name of an empty database on it."""
    name = request.getfixturevalue(f"{request.param}_database")
    return request.getfixturevalue(f"{request.param}_server"), name


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_server_comes_back_on_its_port_with_its_data(database, how):
    """After its end nobody answers; after `start` what was written is there."""
    server, name = database
    server.run("CREATE TABLE kept (n INT)", name)
    server.run("INSERT INTO kept VALUES (1)", name)

    getattr(server, how)()

    assert not server.answers()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
    server.start()
    server.run("INSERT INTO kept SELECT n + 1 FROM kept", name)


@pytest.mark.servers
def test_a_server_that_starts_removes_no_table_of_another(mariadb_server):
    """MariaDB empties its folder for temporary tables, which is therefore its own."""
    theirs = [
        Path(tempfile.gettempdir(), f"#sql-temptable-{os.getpid():x}-0-0.{end}")
        for end in ["MAI", "MAD"]
    ]
    with contextlib.ExitStack() as stack:
        for each in theirs:
            each.touch()
            stack.callback(each.unlink, missing_ok=True)

        mariadb_server.stop()
        mariadb_server.start()

        assert [each.exists() for each in theirs] == [True, True]


def status(pid):
    """Return what the system says of a process."""
    file = Path(f"/proc/{pid}/status")
    return file.read_text() if file.exists() else ""


def test_a_killed_server_leaves_no_process(postgres_server, postgres_url):
    """`kill` ends the backends too: none finishes what it was told."""
    with create_engine(postgres_url).connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.commit()
        postgres_server.kill()

        with pytest.raises(OperationalError):
            connection.execute(text("SELECT 1"))
    assert "State:\tS" not in status(pid)
