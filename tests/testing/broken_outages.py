"""A source that reads from a server, and ones that do not survive its end.

`breaks` names the clauses that turn red.
"""

from __future__ import annotations

import itertools
import json
import logging
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from midflight import Loaded, hookimpl
from midflight.following import Following
from midflight.testing import Server, SourceContract


class Files(Server):
    """Serves the files of its folder."""

    program = sys.executable

    def command(self):
        where = ["--bind", "127.0.0.1", "--directory", self.folder, str(self.port)]
        return [self.path, "-Im", "http.server", *where]


class Page:
    """Keeps its contract."""

    name = "page"
    timeout: float | None = 2  # s

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/app.json"
        self.ended = False

    def get(self):
        with urllib.request.urlopen(self.url, timeout=self.timeout) as answer:
            return answer.read().decode()

    @hookimpl
    def load(self):
        text = self.get()
        return Loaded(json.loads(text), token=text)

    @hookimpl
    def hash(self):
        return self.get()

    @hookimpl
    def watch(self, notify):
        def follow(ending):
            seen = ""
            while not ending.wait(0.02):
                text = self.get()
                if text != seen:
                    notify()
                seen = text

        return Following(self.name, follow)


@pytest.fixture(scope="session")
def files() -> Iterator[Files]:
    """The server, one for all."""
    with Files() as server:
        yield server


class TestPage(SourceContract):
    kind: type[Page] = Page
    breaks: tuple[str, ...] = ()
    numbers = itertools.count()

    @pytest.fixture
    def server(self, files):
        return files

    @pytest.fixture
    def change(self, server):
        def change():
            new = server.folder / "new"
            new.write_text(json.dumps({"platform": next(self.numbers)}))
            new.replace(server.folder / "app.json")

        return change

    @pytest.fixture
    def source(self, server, change):
        change()
        return self.kind(server.port)

    @pytest.fixture
    def secrets(self):
        return ("hunter2",)


class Defaulting(Page):
    """Takes a server that is gone for an empty configuration."""

    def get(self):
        try:
            return super().get()
        except urllib.error.URLError:
            return "{}"


class TestDefaulting(TestPage):
    kind = Defaulting
    breaks = ("test_an_outage_leaves_the_last_good_in_force",)


class Blabbing(Page):
    """Says its password when the server is gone."""

    def get(self):
        try:
            return super().get()
        except urllib.error.URLError as exc:
            raise OSError("cannot log in with hunter2") from exc


class TestBlabbing(TestPage):
    kind = Blabbing
    breaks = ("test_an_outage_leaves_the_last_good_in_force",)


class Confessing(Page):
    """Says its password when it begins to follow a server that is gone."""

    @hookimpl
    def watch(self, notify):
        def follow(ending):
            try:
                self.get()
            except urllib.error.URLError as exc:
                raise OSError("cannot log in with hunter2") from exc
            ending.wait()

        return Following(self.name, follow)


class TestConfessing(TestPage):
    kind = Confessing
    breaks = ("test_an_outage_leaves_the_last_good_in_force",)


class Chatting(Page):
    """Logs its password, by a logger of its own, as any client might."""

    def get(self):
        logging.getLogger("page").info("logged in with hunter2")
        return super().get()


class TestChatting(TestPage):
    kind = Chatting
    breaks = ("test_an_outage_leaves_the_last_good_in_force",)


class Trusting(Page):
    """Waits for an answer as long as it takes."""

    timeout = None


class TestTrusting(TestPage):
    kind = Trusting
    breaks = ("test_a_silent_server_does_not_hold_a_read",)

    @pytest.fixture
    def patience(self):
        return 0.3


class Resigned(Page):
    """Never tries again."""

    def get(self):
        if self.ended:
            raise OSError("the connection is closed")
        try:
            return super().get()
        except urllib.error.URLError:
            self.ended = True
            raise


class TestResigned(TestPage):
    kind = Resigned
    breaks = ("test_converges_after_an_outage", "test_hints_come_again_after_an_outage")

    @pytest.fixture
    def patience(self):
        return 0.3
