"""A TCP proxy before a server of the tests, as a fixture."""

from __future__ import annotations

import contextlib

import pytest

from midflight.testing import TcpProxy


@pytest.fixture
def tcp_proxy():
    """Makes a proxy before a port: `tcp_proxy(port)`; all end with the test."""
    with contextlib.ExitStack() as stack:

        def make(target):
            proxy = TcpProxy(target)
            stack.callback(proxy.close)
            return proxy

        yield make
