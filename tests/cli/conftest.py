"""A folder with a configuration and its modules, the command, and the service."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from midflight_plugins.cli._app import app

SHELF = '''
import json
import pathlib

from midflight import Loaded, hookimpl
from midflight.errors import ConflictError, SourceUnavailableError, UnknownOutcomeError
from midflight.hookspecs import Version


class Shelf:
    """Keeps each version in a file of a folder, with its text."""

    def __init__(self, folder):
        self.name = f"shelf:{folder}"
        self.folder = pathlib.Path(folder)

    @classmethod
    def from_uri(cls, rest):
        return cls(rest)

    def flag(self, name):
        return (self.folder / name).exists()

    def kept(self):
        if self.flag("down"):
            raise SourceUnavailableError(f"{self.name}: cannot be reached")
        if self.flag("broken"):
            raise ConnectionResetError(104, "Connection reset by peer")
        numbers = sorted(int(file.stem) for file in self.folder.glob("*.json"))
        return [json.loads((self.folder / f"{n}.json").read_text()) for n in numbers]

    def loaded(self, entry, runtime):
        text = entry["text"]
        if text is None:
            return Loaded(entry["document"], version=entry["version"])
        data = text.encode()
        found = runtime.parse(data, "yaml", f"{self.name}@{entry['version']}")
        return Loaded(found.document, entry["version"], found.positions, text=text)

    @hookimpl
    def load(self, runtime):
        kept = self.kept()
        if not kept:
            raise SourceUnavailableError(f"{self.name} holds nothing yet")
        return self.loaded(kept[-1], runtime)

    @hookimpl
    def put(self, document, expected_version, author, message, text):
        kept = self.kept()
        head = kept[-1]["version"] if kept else None
        if head != expected_version:
            raise ConflictError(f"the head is {head}, not {expected_version}")
        if kept and kept[-1]["digest"] == document.digest and kept[-1]["text"] == text:
            return head
        if self.flag("lost"):
            raise UnknownOutcomeError(self.name, "w-17")
        version = (head or 0) + 1
        entry = {
            "version": version,
            "digest": document.digest,
            "author": author,
            "message": message,
            "at": 1_700_000_000 + version,
            "text": text,
            "document": json.loads(json.dumps(document.as_mapping())),
        }
        (self.folder / f"{version}.json").write_text(json.dumps(entry))
        return version

    @hookimpl
    def history(self, limit):
        names = ("version", "digest", "author", "message", "at")
        kept = reversed(self.kept())
        return [Version(*(entry[name] for name in names)) for entry in kept][:limit]

    @hookimpl
    def read_version(self, version, runtime):
        return self.loaded({e["version"]: e for e in self.kept()}[version], runtime)
'''
PATIENCE = 30  # s, before a test gives up on something that should come
MODULES = '''
import logging
import os
import pathlib
import signal
import threading
import time

import attrs
from midflight import hookimpl


@attrs.frozen
class Settings:
    rate: int = 1
    motto: str = "go"


class Worker:
    """Writes the rate in force to a file of its name."""

    Config = Settings

    def __init__(self, name):
        self.file = pathlib.Path(f"{name}.state")

    @hookimpl
    def start(self, config):
        self.file.write_text(str(config.rate))

    @hookimpl
    def reconfigure(self, config):
        if pathlib.Path("trouble").exists():
            raise ValueError("there is trouble")
        self.file.write_text(str(config.rate))

    @hookimpl
    def stop(self):
        self.file.write_text("stopped")


class Plain(Worker):
    """Takes whatever stands there, and cannot be reconfigured."""

    Config = None
    sections = ("platform",)
    overlap = True
    reconfigure = None

    @hookimpl
    def start(self, config):
        self.file.write_text("started")


class Refuses(Worker):
    @hookimpl
    def prepare(self):
        raise ValueError("no such device")


class Waits(Worker):
    @hookimpl
    def reconfigure(self, config):
        self.file.write_text("waits")
        while not pathlib.Path("go").exists():
            time.sleep(0.001)


class HangsInStart(Worker):
    @hookimpl
    def start(self):
        self.file.write_text("hangs")
        time.sleep(600)


class HangsInStop(Worker):
    @hookimpl
    def stop(self):
        time.sleep(600)


class Floods(Worker):
    @hookimpl
    def start(self):
        def shout():
            while True:
                log.warning("x" * 10_000)

        log = logging.getLogger("flood")
        threading.Thread(target=shout).start()
        self.file.write_text("floods")


class SignalsItsThread(Worker):
    @hookimpl
    def start(self):
        def ask():
            while not pathlib.Path("go").exists():
                time.sleep(0.001)
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

        threading.Thread(target=ask).start()


class LeavesAThread(Worker):
    @hookimpl
    def start(self):
        threading.Thread(target=time.sleep, args=[600], daemon=False).start()
'''
GOOD = """\
modules:
  - name: a
    type: worker
    config:
      rate: 1
  - name: b
    type: worker
    dependsOn: [a]
"""
TYPES = {
    "worker": "Worker",
    "plain": "Plain",
    "refuses": "Refuses",
    "waits": "Waits",
    "start": "HangsInStart",
    "stop": "HangsInStop",
    "floods": "Floods",
    "signals": "SignalsItsThread",
    "thread": "LeavesAThread",
}
WITH_TYPES = [
    word for name, cls in TYPES.items() for word in ("--module", f"{name}=kinds:{cls}")
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the current directory: it has `app.yaml` and the module `kinds`."""
    (tmp_path / "kinds.py").write_text(MODULES)
    (tmp_path / "app.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "kinds", raising=False)
    return tmp_path


@pytest.fixture
def edit(folder):
    """Return what replaces a text in `app.yaml`, which is whole at any moment."""

    def replace(old, new):
        text = (folder / "app.yaml").read_text()
        assert old in text
        (folder / "app.new").write_text(text.replace(old, new))
        (folder / "app.new").replace(folder / "app.yaml")

    return replace


@pytest.fixture
def midflight(folder):
    """Return what runs a command and gives its result."""

    def invoke(*words, code=0, stdin=None):
        result = CliRunner().invoke(app, words, input=stdin, prog_name="midflight")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return invoke


class Service:
    """A `midflight run` under way."""

    def __init__(self, words, cwd, env=None, *, reads=True, boot=None):
        start = [boot] if boot else ["-Im", "midflight"]
        command = [sys.executable, *start, "run", *words]
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr
        self.pipe = self.process.stderr
        self.lines = []
        self._ended = False
        self._seen = 0
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        if reads:
            self._reader.start()

    def _read(self):
        for line in self.pipe:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def until(self, text):
        """Wait for a line that was not waited for before; return it."""

        def found():
            return self._ended or any(text in line for line in self.lines[self._seen :])

        with self._news:
            assert self._news.wait_for(found, PATIENCE), self.lines
            for at in range(self._seen, len(self.lines)):
                if text in self.lines[at]:
                    self._seen = at + 1
                    return self.lines[at]
        message = f"ended before {text!r}: {self.lines}"
        raise AssertionError(message)

    def until_true(self, condition):
        """Wait until a condition holds, while the service runs."""
        due = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < due, self.lines
            time.sleep(0.002)

    def send(self, number):
        """Send a signal."""
        self.process.send_signal(number)

    def end(self):
        """Wait until the process has ended; return its exit code."""
        code = self.process.wait(PATIENCE)
        if self._reader.ident:
            self._reader.join(PATIENCE)
        return code

    def stop(self):
        """Ask the service to stop; return its exit code."""
        self.send(signal.SIGTERM)
        return self.end()

    @property
    def text(self):
        """Everything it has logged."""
        return "\n".join(self.lines)


@pytest.fixture
def run(folder):
    """Return what starts a service on `app.yaml`; at the end none is left."""
    with contextlib.ExitStack() as services:

        def start(*words, file="app.yaml", env=None, **more):
            service = Service([file, *WITH_TYPES, *words], folder, env, **more)
            services.callback(service.pipe.close)
            services.callback(service.end)
            services.callback(service.process.kill)
            return service

        yield start


@pytest.fixture
def started(run):
    """Return what starts a service and waits until it is ready."""

    def start(*words, **more):
        service = run(*words, **more)
        service.until("ready")
        return service

    return start


@pytest.fixture
def state(folder):
    """Return what reads the rate that a module has in force."""
    return lambda name: (folder / f"{name}.state").read_text()


@pytest.fixture
def install(folder, monkeypatch):
    """Return what installs a distribution of one module, for this test alone."""

    def write(name, code, points, version="1.0"):
        module, site = name.replace("-", "_"), folder / f"site-{name}"
        info = site / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(code)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, module, raising=False)
        return site

    yield write
    for name in {path.stem for path in folder.glob("site-*/*.py")}:
        sys.modules.pop(name, None)


@pytest.fixture
def shelf(install, folder):
    """Install a source that keeps versions; return the folder of `shelf:kept`."""
    install("shelf", SHELF, "[midflight.sources]\nshelf = shelf:Shelf\n")
    (folder / "kept").mkdir()
    return folder / "kept"


@pytest.fixture(scope="session")
def with_types():
    """Return the options that add the module types of `kinds`."""
    return WITH_TYPES


@pytest.fixture(scope="session")
def data():
    """Return the folder of the inputs that several areas share."""
    return Path(__file__).parents[1] / "data"


@pytest.fixture
def notified(tmp_path):
    """Return what opens a manager's socket: its address, and what receives lines."""
    with contextlib.ExitStack() as channels:

        def bind(kind):
            name = f"{os.getpid()}-{tmp_path.name}"
            address = f"@{name}" if kind == "abstract" else str(tmp_path / "n.sock")
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            channels.enter_context(channel)
            channel.settimeout(PATIENCE)
            channel.bind(f"\0{name}" if kind == "abstract" else address)
            return address, lambda: channel.recv(4096).decode().split("\n")

        yield bind
