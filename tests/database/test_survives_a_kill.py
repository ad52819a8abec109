"""A writer that is killed leaves the old version or the new one, whole."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

STEPS = ("locked", "kept", "history", "head", "notified", "committing", "committed")

# Puts the next version and kills itself after a step.
WRITER = """
import os, signal, sys
from midflight_plugins.database._engine import open_engine
from midflight_plugins.database._store import Store
from midflight_plugins.database._url import parsed

url, last, text, base = sys.argv[1:]

def step(name):
    if name == last:
        os.kill(os.getpid(), signal.SIGKILL)

settings, _ = parsed(url)
store = Store(open_engine(settings.url, settings.timeout), settings, step=step)
expected = None if base == "None" else base
more = {"author": "ada", "message": "", "digest": text}
store.put("k", text.encode(), expected=expected, **more)
"""


def write(url, step, text, base):
    """Let a process put a text and die after a step; return how it ended."""
    arguments = [sys.executable, "-c", WRITER, url, step, text, str(base)]
    done = subprocess.run(arguments, capture_output=True, check=False, timeout=60)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode


def stored(store):
    """Return what is there: the head's version and text, and those of history."""
    head = store.head("k")
    rows = [store.version("k", row.version) for row in store.history("k", 9)]
    history = [(row.version, row.data.decode()) for row in rows]
    return (head and (head.version, head.data.decode())), history


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("before", [0, 2])
def test_a_killed_put_is_whole_or_not_there(open_store, database_url, step, before):
    """Whichever step was the last, no half of it stays, and the next put goes on."""
    store = open_store(database_url)
    texts = [(n, f"n: {n}\n") for n in range(1, before + 3)]
    for n, text in texts[:before]:
        more = {"author": "ada", "message": "", "digest": text}
        store.put("k", text.encode(), expected=n - 1 or None, **more)
    killed = write(database_url, step, texts[before][1], before or None)
    is_new = step == "committed"
    there = texts[: before + is_new]

    assert killed == -signal.SIGKILL
    assert stored(store) == (there[-1] if there else None, there[::-1])
    assert not there or store.verify("k").is_sound
    base = there[-1][0] if there else None
    more = {"author": "ada", "message": "", "digest": "new"}
    store.put("k", b"n: new\n", expected=base, **more)
    assert stored(store)[0] == (len(there) + 1, "n: new\n")
    assert store.verify("k").is_sound


def test_the_oracle_sees_half_a_put(open_store, sqlite_url, original):
    """A history row without its head would not go unseen."""
    store = open_store(sqlite_url)
    row = {"key": "k", "data": b"n: 1", "hash": "", "version": 1}
    other = original(sqlite_url)
    with other.engine.begin() as connection:
        connection.execute(other.history.insert().values(row))

    assert stored(store) != (None, [])
    assert not store.verify("k").is_sound
