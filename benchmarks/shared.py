"""A source that parses nothing, and a thread that may apply what it hints at."""

from __future__ import annotations

import contextlib
import threading

import attrs

from midflight import Document, Loaded, hookimpl


class Shared:
    """A source of documents that share all that did not change."""

    name = "shared"

    def __init__(self, count):
        entries = [
            {
                "name": f"module-{at}",
                "type": "limiter",
                "config": {
                    "rate": 10,
                    "burst": at,
                    "host": f"node-{at}.example.org",
                    "port": 8080,
                    "ratio": 0.75,
                    "enabled": True,
                    "mode": "fast",
                },
            }
            for at in range(count)
        ]
        whole = {"modules": entries, "application": {"name": "shop"}}
        self.module = f"module-{count // 2}"
        self._document = Document.from_mapping(whole)
        self._token = 0

    def edit(self, changed=1):
        """Change one value in some of the modules, of those in the middle first."""
        self._token += 1
        modules = dict(self._document.modules)
        names = list(modules)
        at = len(names) // 2
        touched = [*names[at:], *names[:at]][:changed]
        entries = [
            {
                "name": name,
                "type": modules[name].type,
                "config": {**modules[name].config, "rate": 10 + self._token},
            }
            for name in touched
        ]
        modules |= Document.from_mapping({"modules": entries}).modules
        self._document = attrs.evolve(self._document, modules=modules)

    @hookimpl
    @contextlib.contextmanager
    def watch(self, notify):
        self.notify = notify
        yield

    @hookimpl
    def hash(self):
        return str(self._token)

    @hookimpl
    def load(self):
        return Loaded(self._document)


def on_a_thread(function):
    """Run a function on a thread that may apply changes itself, as a watcher's does."""
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()
