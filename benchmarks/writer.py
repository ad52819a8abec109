"""Writes files when told to, in a process of its own; answers with the time."""

from __future__ import annotations

import os
import pathlib
import pickle
import subprocess
import sys
import time


def write(path: pathlib.Path, text: str, *, atomic: bool) -> int:
    """Write a file; return the time in ns just before it was closed or renamed."""
    target = path.with_suffix(".new") if atomic else path
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    left = memoryview(text.encode())
    while left:
        left = left[os.write(handle, left) :]
    if not atomic:
        at = time.monotonic_ns()
        os.close(handle)
        return at
    os.close(handle)
    at = time.monotonic_ns()
    target.rename(path)
    return at


class Elsewhere:
    """The same, in another process."""

    def __enter__(self):
        self._child = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.write(pathlib.Path(os.devnull), "", atomic=False)
        return self

    def __exit__(self, *_exc):
        self._child.communicate(timeout=10)

    def write(self, path: pathlib.Path, text: str, *, atomic: bool) -> int:
        pickle.dump((path, text, atomic), self._child.stdin)
        self._child.stdin.flush()
        return int(self._child.stdout.readline())


def _serve() -> None:
    while True:
        try:
            path, text, atomic = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        print(write(path, text, atomic=atomic), flush=True)


if __name__ == "__main__":
    _serve()
