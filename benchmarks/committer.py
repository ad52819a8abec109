"""Puts documents when told to, in a process of its own; answers with the time."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time


def opened(uri: str, step=lambda _name: None):
    """Return the store of a URI and the key; tables are made if there are none."""
    from midflight_plugins.database import _schema
    from midflight_plugins.database._engine import open_engine
    from midflight_plugins.database._store import Store
    from midflight_plugins.database._url import parsed

    settings, key = parsed(uri)
    _schema.upgrade(settings)
    engine = open_engine(settings.url, settings.timeout)
    return Store(engine, settings, step=step), key


def put(store, key: str, text: str) -> int:
    """Store a text on top of whatever is there."""
    head = store.head(key)
    base = None if head is None else head.version
    return store.put(
        key, text.encode(), expected=base, author="bench", message="", digest=text[-9:]
    )


class Committer:
    """The same, in another process.

    Args:
        uri: a document, as after `database:`.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def __enter__(self):
        self._child = subprocess.Popen(
            [sys.executable, __file__, self._uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_exc):
        self._child.communicate(timeout=10)

    def put(self, text: str) -> int:
        """Put a text; return the time in ns just before its COMMIT was sent."""
        pickle.dump(text, self._child.stdin)
        self._child.stdin.flush()
        return int(self._child.stdout.readline())


def _serve() -> None:
    at = {}

    def step(name: str) -> None:
        at[name] = time.monotonic_ns()

    store, key = opened(sys.argv[1], step)
    while True:
        try:
            text = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        put(store, key, text)
        print(at["committing"], flush=True)


if __name__ == "__main__":
    _serve()
