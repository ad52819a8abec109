from __future__ import annotations

import itertools
import json
import pathlib
import sys
import uuid

import pytest

from midflight.testing import Server
from midflight_http import HttpSource

SCRIPT = pathlib.Path(__file__).parent / "config_server.py"


class ConfigServer(Server):
    """Serves the texts that tests put into its folder."""

    certificate: tuple[pathlib.Path, ...] = ()

    def command(self):
        (self.folder / "served").mkdir(exist_ok=True)
        return [sys.executable, "-I", SCRIPT, str(self.port), *self.certificate]

    def requests(self, path):
        """Return the requests for a path, as the server wrote them down."""
        file = self.folder / "requests"
        lines = file.read_text().splitlines() if file.exists() else ()
        return [each for each in map(json.loads, lines) if each["path"] == path]


class Page:
    """One text that the server serves, and what can be done to it."""

    def __init__(self, server, suffix=".yaml"):
        self.server = server
        self.file = server.folder / "served" / f"{uuid.uuid4().hex}{suffix}"
        self._numbers = itertools.count(1)
        self.change()

    def url(self, way="plain", host="127.0.0.1", login=""):
        return f"http://{login}{host}:{self.server.port}/{way}/{self.file.name}"

    def source(self, way="plain", **options):
        return HttpSource(self.url(way), **options)

    def write(self, text):
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.rename(self.file)

    def change(self):
        self.write(f"shop: {{opened: {next(self._numbers)}}}\n")

    def requests(self, way="plain"):
        return self.server.requests(f"/{way}/{self.file.name}")


@pytest.fixture(scope="session")
def shared():
    """A server for all tests; none may leave it stopped."""
    with ConfigServer() as server:
        yield server


@pytest.fixture
def page(shared):
    """Return a text of its own for each test."""
    return Page(shared)
