"""The command `corner-shop`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable
from wsgiref.simple_server import WSGIRequestHandler, make_server

from corner_shop.app import Application
from midflight import Runtime


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of a request."""


def _end_by(close: Callable[..., object]) -> None:
    """Let `Ctrl-C` and a supervisor call `close`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, close)


def main() -> None:
    """Open the shop on a configuration, and follow its changes."""
    parser = argparse.ArgumentParser(prog="corner-shop", description=main.__doc__)
    parser.add_argument("source", nargs="+", help="a URI; later ones lie over earlier")
    parser.add_argument("--port", type=int, default=8900)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    _end_by(lambda *_: sys.exit())
    with (
        Runtime(options.source, plugins=["log"], watch=True) as runtime,
        make_server(
            "127.0.0.1", options.port, Application(runtime), handler_class=_Quiet
        ) as server,
    ):

        def close(*_: object) -> None:  # an exception would end in a customer's answer
            threading.Thread(target=server.shutdown).start()

        _end_by(close)
        print(f"open at http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
