from __future__ import annotations

import socket
import sys

import pytest

from midflight_plugins.http import _sockets


@pytest.mark.skipif(sys.platform != "linux", reason="keeps SYN out by a socket filter")
def test_who_waits_in_the_queue_is_still_served():
    """After `refuse_new` an early connection is accepted, a late one not made."""
    with _sockets.listen(("127.0.0.1", 0), 5) as listener:
        address = listener.getsockname()
        with socket.create_connection(address, timeout=10) as early:
            early.sendall(b"request")
            _sockets.refuse_new(listener)
            with socket.socket() as late:
                late.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    late.connect(address)
            waiting = _sockets.has_waiting(listener)
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(10)
                data = accepted.recv(100)
            empty = not _sockets.has_waiting(listener)

    assert (waiting, data, empty) == (True, b"request", True)


@pytest.mark.parametrize(
    ("address", "text"), [(("127.0.0.1", 0), "127.0.0.1:"), (("::1", 0), "[::1]:")]
)
def test_addresses_are_shown_as_in_a_url(address, text):
    """A host and a port are joined by a colon, and IPv6 is put in brackets."""
    try:
        listener = _sockets.listen(address, 5)
    except OSError:
        pytest.skip("no such protocol on this host")
    with listener:
        shown = _sockets.shown(listener)

    assert shown.startswith(text)
