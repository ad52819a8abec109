"""What a start need not import, it does not: one table for every way to start.

A library that is imported for nothing costs each process its time and its memory.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

# What takes long to import, or drags in much of the standard library. An `email` is
# what `importlib.metadata` reads its files with.
HEAVY = {
    "alembic",
    "asyncio",
    "cattrs",
    "click",
    "concurrent.futures",
    "cryptography",
    "email",
    "http.client",
    "http.server",
    "importlib.metadata",
    "jinja2",
    "jsonschema",
    "logging.config",
    "logging.handlers",
    "msgspec",
    "multiprocessing",
    "packaging",
    "prometheus_client",
    "psycopg",
    "pydantic",
    "pymysql",
    "pytest",
    "ruamel.yaml",
    "sqlalchemy",
    "sqlite3",
    "ssl",
    "starlette",
    "tempfile",
    "tomllib",
    "urllib.request",
    "uvicorn",
    "watchdog",
}
CLI = {"click"}
# What finds the plugins, and what those bring along that are in every runtime.
RUNTIME = {"email", "importlib.metadata", "tempfile", "tomllib"}
READS = CLI | RUNTIME
YAML = {"ruamel.yaml"}
# What seals the last good configuration, and keeps the journal; nobody asks by socket.
STATE = {"cryptography", "sqlite3"}

BOOT = """\
import atexit, json, sys
before = {*sys.modules}
def told():
    with open("told", "w") as file:
        json.dump([*{*sys.modules} - before], file)
atexit.register(told)
"""
COMMAND = """\
sys.argv[0] = "midflight"
from midflight_plugins.cli import main
main()
"""
MODULE = """\
import os, signal
from midflight import hookimpl

class Lamp:
    def __init__(self, name): pass

    @hookimpl
    def start(self): os.kill(os.getpid(), signal.SIGTERM)
"""
KEEPS = """\
from midflight import Runtime
with Runtime("memory:", state_dir="state"): pass
"""
WORDS = ("--module", "lamp=lamps:Lamp")
MODULES = {"modules": [{"name": "one", "type": "lamp", "config": {"rate": 1}}]}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a module type, and a configuration that uses it."""
    (tmp_path / "lamps.py").write_text(MODULE)
    for name in ("app.json", "app.yaml"):
        (tmp_path / name).write_text(json.dumps(MODULES))
    return tmp_path


def heavy_of(folder, code, *words):
    """Run code in an interpreter of its own; return what of `HEAVY` it imported."""
    done = subprocess.run(
        [sys.executable, "-Ic", BOOT + code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads((folder / "told").read_text()))
    assert {name for name in loaded if name.startswith("midflight")}
    return HEAVY & loaded


@pytest.mark.parametrize(
    ("code", "needs"),
    [
        ("import midflight", set()),
        ("from midflight import Runtime", set()),
        ("from midflight import Runtime\nRuntime('memory:')", RUNTIME),
        ("from midflight import Runtime\nwith Runtime('memory:'): pass", RUNTIME),
        (KEEPS, RUNTIME | STATE),
        ("import midflight_plugins.cli", CLI),
    ],
)
def test_python_imports_what_it_needs(folder, code, needs):
    """A library that one part of Midflight needs is not paid for by the others."""
    assert heavy_of(folder, code) <= needs


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ("--help", CLI),
        ("--version", CLI),
        ("run --help", CLI),
        ("settings", CLI),
        ("check app.json", READS),
        ("check app.yaml", READS | YAML),
        ("diff app.json app.json", READS),
        ("plan app.json app.json", READS),
        ("explain --all app.json", READS),
        ("run app.json --no-state", READS),
        ("run app.yaml --no-state", READS | YAML),
        ("run app.json --no-state --watch", READS | {"watchdog"}),
        ("run app.json --state-dir state", READS | STATE),
    ],
)
def test_a_command_imports_what_it_needs(folder, line, needs):
    """So does each command: nothing of an event loop, a server or a database."""
    words = line.split()
    more = WORDS if words[0] in {"check", "plan", "explain", "run"} else ()
    more = () if "--help" in words else more

    assert heavy_of(folder, COMMAND, *words, *more) <= needs


def test_an_import_too_many_is_seen(folder):
    """The table can fail: it sees each library that is there."""
    there = {name for name in HEAVY if importlib.util.find_spec(name)}
    code = f"import midflight, {', '.join(there)}"

    assert len(there) > len(HEAVY) / 2
    assert heavy_of(folder, code) == there
