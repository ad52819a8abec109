"""A failed request leaves no connection behind, even while its error is kept."""

from __future__ import annotations

import socketserver
import threading

import pytest

from midflight_etcd._gateway import EtcdError, Gateway

FAULT = b'{"error": {"message": "no leader", "code": 14}}\n'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize("said", [FAULT, b"[]\n", b"{"])
def test_an_answer_that_is_none_leaves_no_connection(said):
    """Told, another's or cut short: the descriptor is free when the error comes."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            self.wfile.write(HEAD + said)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            gateway = Gateway([f"127.0.0.1:{server.server_address[1]}"])
            with pytest.raises(EtcdError) as caught:
                list(gateway.answers("kv/range", {}))

            assert gateway._socket.fileno() == -1
            assert caught.value.__traceback__ is not None
        finally:
            server.shutdown()
