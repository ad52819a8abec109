"""A process that forks and its child do not share a connection."""

from __future__ import annotations

import subprocess
import sys

# Uses a source, forks, and lets both go on; neither ends the other's connection.
PROGRAM = """
import os, sys
from midflight import Document, Runtime
from midflight_plugins.database import DatabaseSource

source = DatabaseSource(sys.argv[1])
runtime = Runtime(source)

def ask(key, data):
    for _ in range(300):  # both at once: answers would go to the wrong one
        row = source._store.head(key)
        assert (row and row.data.decode()) == data, row

def go_on(value):
    base = runtime.read()[1].version
    document = Document.from_mapping({"n": value})
    runtime.put(document, expected_version=base)
    assert runtime.read()[0] == document

go_on(1)
for value in range(2, 5):
    child = os.fork()
    if not child:
        ask("nobody", None)
        go_on(value)
        os._exit(0)
    ask("other", "0")
    assert os.waitpid(child, 0)[1] == 0, value
    assert runtime.read()[1].version == value + 1
go_on(5)
source.close()
"""


def test_parent_and_child_go_on(open_store, database_url):
    """Each reads and writes over connections of its own, as often as it is done."""
    store = open_store(database_url)
    more = {"author": "", "message": "", "digest": ""}
    store.put("default", b"n: 0", expected=None, **more)
    store.put("other", b"0", expected=None, **more)
    arguments = [sys.executable, "-W", "error", "-c", PROGRAM, database_url]
    done = subprocess.run(arguments, capture_output=True, check=False, timeout=60)

    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert len(store.history("default", 99)) == 6
