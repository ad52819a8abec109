"""The web server of the tests of midflight-http, as one that serves in earnest.

It keeps no list of requests, its threads wait for connections instead of being made for
them, and an answer is written at once. What it says is the same.
"""

from __future__ import annotations

import io
import pathlib
import sys
import threading

CONTRIB = pathlib.Path(__file__).resolve().parents[1] / "contrib_sources"
sys.path.insert(0, str(CONTRIB / "http" / "tests"))

import config_server  # noqa: E402  # it lies among those tests

THREADS = 16  # connections at a time


class Handler(config_server.Handler):
    """Answers as in the tests."""

    def log(self, status, sent):
        """Write nothing down."""

    def answer(self, status, data=b"", **headers):
        """Send the lines of an answer and its text as one."""
        socket, self.wfile = self.wfile, io.BytesIO()
        try:
            super().answer(status, data, **headers)
        finally:
            sent, self.wfile = self.wfile.getvalue(), socket
        self.wfile.write(sent)


class Server(config_server.Server):
    """Serves each connection by the thread that waited for it."""

    def serve_forever(self, poll_interval=0.5):
        """Serve until the process ends."""
        waiting = [threading.Thread(target=self._serve) for _ in range(THREADS)]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join()

    def _serve(self):
        while True:
            self.process_request_thread(*self.get_request())


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
