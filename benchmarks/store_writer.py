"""Writes to a store when told to, in a process of its own; answers with the time.

What a service is configured by is written elsewhere: a writer in the process that is
measured would share its interpreter with the way that is measured, and favour the one
that has less to do.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
import types


class Elsewhere:
    """The writer of a store, in another process.

    Args:
        store: that whose `write` is called there, on connections of its own.
    """

    def __init__(self, store) -> None:
        self._store = store

    def __enter__(self):
        self._child = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        server = self._store.server
        self._tell((type(self._store), server.port, server.folder, self._store.key))
        self._child.stdout.readline()  # it is ready
        return self

    def __exit__(self, *_exc):
        self._child.communicate(timeout=20)

    def _tell(self, what: object) -> None:
        pickle.dump(what, self._child.stdin)
        self._child.stdin.flush()

    def write(self, rate: int) -> None:
        """Have a value written; do not wait for that."""
        self._tell(rate)

    def began(self) -> int:
        """Return the time in ns just before the write was sent, once it is done."""
        return int(self._child.stdout.readline())


def _serve() -> None:
    kind, port, folder, key = pickle.load(sys.stdin.buffer)
    store = kind()
    store.server, store.key = types.SimpleNamespace(port=port, folder=folder), key
    store.opened()
    print("ready", flush=True)
    while True:
        try:
            rate = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        at = time.monotonic_ns()
        store.write(rate)
        print(at, flush=True)
    store.closed()


if __name__ == "__main__":
    _serve()
