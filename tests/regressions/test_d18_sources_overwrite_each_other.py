"""D18: file watcher and poller fed whole documents and overwrote each other.

And neither a composite nor a third party's source could be watched.
"""

from __future__ import annotations

import contextlib
from typing import Any

from midflight import Runtime, hookimpl
from midflight.testing import FakeModule, wait_until
from midflight_plugins.file import FileSource

TEXT = "modules: [{{name: m, type: fake, config: {{{}: {}}}}}]\n"


class Pushes:
    """A third party's source that is told of each change."""

    def __init__(self):
        self.config: dict[str, Any] = {"pushed": 0, "both": "pushed"}
        self.notify: Any = None

    @hookimpl
    def load(self):
        return {"modules": [{"name": "m", "config": self.config}]}

    @hookimpl
    @contextlib.contextmanager
    def watch(self, notify):
        self.notify = notify
        yield
        self.notify = None

    def push(self, number):
        self.config = {"pushed": number, "both": "pushed"}
        self.notify()


def in_force(layers):
    """Return the configurations in force after each of some changes of two sources."""
    path, pushes, source = layers
    seen = []
    modules = {"fake": FakeModule}
    with Runtime(source, modules=modules, watch=True, sweep=60.0) as runtime:

        def config():
            return dict(runtime.snapshot.document.modules["m"].config)

        for number in range(1, 4):
            path.write_text(TEXT.format("file", number))
            wait_until(lambda: config().get("file") == number, "the file")  # noqa: B023  # called within the pass
            seen.append(config())
            pushes.push(number)
            wait_until(lambda: config().get("pushed") == number, "the push")  # noqa: B023  # called within the pass
            seen.append(config())
    return seen


class Feeds:
    """The broken variant: whoever changed last gives the whole document."""

    def __init__(self, path, pushes):
        self.file, self.pushes, self.last = FileSource(path), pushes, None

    @hookimpl
    def load(self):
        return (self.last or self.file).load()

    @hookimpl
    @contextlib.contextmanager
    def watch(self, notify):
        def changed(source):
            self.last = source
            notify()

        with (
            self.file.watch(lambda: changed(self.file)),
            self.pushes.watch(lambda: changed(self.pushes)),
        ):
            yield


def made(tmp_path, combine):
    """Return a file, a source that pushes, and what is made of both."""
    path, pushes = tmp_path / "app.yaml", Pushes()
    path.write_text(TEXT.format("file", 0))
    return path, pushes, combine(path, pushes)


def test_a_change_of_one_source_keeps_what_the_other_says(tmp_path):
    """Every source is watched, and none takes back what another one set."""
    seen = in_force(made(tmp_path, lambda path, pushes: [f"file:{path}", pushes]))

    pairs = [(config["file"], config["pushed"]) for config in seen]
    assert pairs == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]
    assert {config["both"] for config in seen} == {"pushed"}


def test_the_oracle_sees_sources_that_overwrite_each_other(tmp_path):
    """Two feeds of whole documents would not go unseen."""
    path, pushes, source = made(tmp_path, Feeds)
    pushes.config = {**pushes.config, "type": "x"}
    with Runtime(source, modules={"fake": FakeModule}, watch=True) as runtime:
        path.write_text(TEXT.format("file", 1))
        wait_until(lambda: runtime.status()["generation"] == 2, "the file")
        pushes.push(1)
        wait_until(lambda: runtime.status()["state"] == "rejected", "the push")

        assert "pushed" not in runtime.snapshot.document.modules["m"].config
