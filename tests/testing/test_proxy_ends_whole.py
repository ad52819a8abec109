from __future__ import annotations

import contextlib
import gc
import socket
import sys
import threading
from typing import Any

import pytest

from midflight.testing import TcpProxy


def test_what_connects_as_a_proxy_closes_is_closed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that is being accepted at that moment is not left open."""
    left: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", left.append)

    def connect(port: int) -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 5).close()

    with socket.create_server(("127.0.0.1", 0), backlog=500) as target:
        for _ in range(20):
            proxy = TcpProxy(target.getsockname()[1])
            coming = [
                threading.Thread(target=connect, args=[proxy.port]) for _ in range(6)
            ]
            for each in coming:
                each.start()
            proxy.close()
            for each in coming:
                each.join(10)
    gc.collect()

    assert [each.exc_value for each in left] == []
