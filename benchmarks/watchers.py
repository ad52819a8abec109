"""Ways to learn of an edit: from the bare system call to Midflight.

Each takes a path, the text that is written there, and an `arrived(rate)` callback;
`rate` is the value it found in the middle module, or `None` if it only learned that
something happened.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import tempfile
import threading
from unittest import mock

import common

PATIENCE = 300.0  # s for one step: a full parse takes long on a busy machine
_CLOSE_WRITE, _MOVED_TO = 0x8, 0x80
_HEAD = struct.Struct("iIII")


def _names(events):
    """Yield the names in a buffer of inotify events."""
    at = 0
    while at < len(events):
        *_, size = _HEAD.unpack_from(events, at)
        at += _HEAD.size
        yield events[at : at + size].rstrip(b"\0")
        at += size


@contextlib.contextmanager
def inotify(path, text, arrived):
    """Block in `read` on an inotify descriptor: nothing in Python can be earlier."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_CLOEXEC)
    folder = os.fsencode(path.parent)
    libc.inotify_add_watch(handle, folder, _CLOSE_WRITE | _MOVED_TO)
    name = os.fsencode(path.name)
    stopped = False

    def look():
        while not stopped:
            if name in _names(os.read(handle, 4096)):
                arrived(None)

    def stop():
        nonlocal stopped
        stopped = True
        path.with_suffix(".stop").write_text("", "utf-8")

    with common.beside(look, stop):
        yield
    os.close(handle)


def parsing_the_item(**how):
    """Use inotify, and parse the text of the changed module alone: the least there is.

    It need not find that text: it is told which it is.
    """

    @contextlib.contextmanager
    def watch(path, text, arrived):
        from ruamel.yaml import YAML

        load = YAML(typ="safe", **how).load  # made once: it looks for plugins on disk

        def parse(_rate):
            [entry] = load(text.entry(text.rate))
            arrived(entry["config"]["rate"])

        with inotify(path, text, parse):
            yield

    return watch


@contextlib.contextmanager
def observer(path, text, arrived):
    """Use watchdog as it is documented."""
    from watchdog.events import FileClosedEvent, FileMovedEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event):
            ends = (event.src_path, event.dest_path)
            kinds = FileClosedEvent | FileMovedEvent
            if isinstance(event, kinds) and str(path) in ends:
                arrived(None)

    watching = Observer()
    watching.schedule(Handler(), str(path.parent))
    watching.start()
    try:
        yield
    finally:
        watching.stop()
        watching.join()


def watchfiles(**options):
    """Use watchfiles with these options."""

    @contextlib.contextmanager
    def watch(path, text, arrived):
        import watchfiles

        stop, ready = threading.Event(), threading.Event()

        def look():
            options.setdefault("rust_timeout", 50)
            for changes in watchfiles.watch(
                path.parent, stop_event=stop, yield_on_timeout=True, **options
            ):
                ready.set()
                if any(name == str(path) for _, name in changes):
                    arrived(None)

        thread = threading.Thread(target=look)
        thread.start()
        ready.wait()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    return watch


@contextlib.contextmanager
def by_hand(path, text, arrived):
    """Do what one writes first: watchdog, a full parse, and a look at the value."""
    from ruamel.yaml import YAML

    def read(_rate):
        raw = YAML(typ="safe", pure=True).load(path)
        arrived(raw["modules"][text.row]["config"]["rate"])

    with observer(path, text, read):
        yield


def dynamic_config(debounce):
    """Use dynamic-config-py: a parser in Rust, a value and a callback, no modules."""

    @contextlib.contextmanager
    def watch(path, text, arrived):
        import dynamic_config

        config = dynamic_config.DynamicConfig(dynamic_config.Values, key="")
        config.whole_document().file(str(path)).init()
        found = [None]

        def changed(_old, new):
            rate = new["modules"][text.row]["config"]["rate"]
            if rate != found[0]:
                found[0] = rate
                arrived(rate)

        guard = config.on_reload(changed)
        options = {} if debounce is None else {"debounce": debounce}
        watching = config.watch(**options)
        try:
            yield
        finally:
            watching.stop()
            del guard

    return watch


def midflight(parser, *, keeps=False):
    """Run every module; learn of the edit in `reconfigure` of the one it touches.

    Args:
        parser: what `MIDFLIGHT_YAML` is set to; empty takes the fastest there is.
        keeps: whether it has a state directory.
    """

    @contextlib.contextmanager
    def watch(path, text, arrived):
        import limiter

        from midflight import Runtime, hookimpl

        class Limiter(limiter.Limiter):
            @hookimpl
            def reconfigure(self, config):
                arrived(config["rate"])

        modules = {"limiter": Limiter}
        options = {"watch": True, "modules": modules, "deadline": PATIENCE}
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.dict(os.environ, MIDFLIGHT_YAML=parser),
            Runtime(
                f"file:{path}", state_dir=folder if keeps else None, **options
            ) as runtime,
        ):
            assert runtime.status()["sources"][0]["mode"] == "watch"
            yield

    return watch
