"""`midflight run`: a runtime as a service that signals steer."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import click

from midflight import Applied, Held, Outcome, Runtime, Unchanged, hookimpl
from midflight.errors import MidflightError
from midflight_plugins.cli._beneath import Beneath
from midflight_plugins.cli._exits import Exit
from midflight_plugins.cli._idle import idle
from midflight_plugins.cli._layers import administered
from midflight_plugins.cli._logs import configure
from midflight_plugins.cli._notify import notify, reloading
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._passwords import redacted
from midflight_plugins.cli._resolved import Settings, ignored
from midflight_plugins.cli._state_dir import directory_of, made
from midflight_plugins.cli._text import plural

_log = logging.getLogger("midflight")
_MODULES_SHARE = 0.9  # of the time to stop; the rest is for threads and exit handlers
_LAST_SHARE = 0.95  # of the time to stop, after which the process ends anyhow
_MOMENT = 0.2  # s
_INVALID = frozenset({"invalid", "plan_refused"})
_ASKS = {signal.SIGHUP: "reload", signal.SIGUSR1: "approve"}
_PASSED = ("strategy", "watch", "deadline", "wait", "sweep", "backoff")
_ENDS = (signal.SIGTERM, signal.SIGINT)


def serve(sources: Sources) -> int:
    """Run until a signal ends it; return the exit code.

    Raises:
        PluginError: if something named is not installed.
    """
    settings = sources.settings
    assert settings is not None
    configure(settings["log_format"], settings["log_level"])
    last = _Last()
    kept, about = _state(settings) if sources.uris else (None, "")
    shutdown, wait = settings["shutdown"], settings["wait"]
    layered, admin = sources, ""
    observers: list[object] = [last]
    if sources.uris and settings["admin"]:
        uris, admin = administered(sources.uris, settings, kept)
        layered = sources._replace(uris=uris)
        observers.append(Beneath(settings["admin"]))
    runtime = layered.runtime(
        *observers,
        shutdown=shutdown * _MODULES_SHARE,
        state_dir=kept,
        **{name: settings[name] for name in _PASSED},
    )
    _tell(sources, settings)
    _log.log(
        logging.INFO if kept or not settings["state_dir"] else logging.WARNING, about
    )
    if admin:
        _log.info("%s", admin)
    return Service(runtime, last, shutdown, wait).run()


def _tell(sources: Sources, settings: Settings) -> None:
    """Log what is started, and what of the settings was not read."""
    names = ", ".join(_named(each) for each in sources.uris)
    store = redacted(settings["overrides.store"])
    names += f", overrides ({store})" if store else ""
    how = "watching" if settings["watch"] else "not watching, SIGHUP reloads"
    wait = settings["wait"]
    how += f", waiting up to {wait:g} s for the source" if wait else ""
    _log.info("starting %s, strategy %s, %s", names, settings["strategy"], how)
    if settings.file:
        _log.info("settings: %s", settings.file.name)
    if settings["allow"] is not True:
        allowed = ", ".join(settings["allow"]) or "nothing"
        _log.info("allowed of other distributions: %s", allowed)
    for each in (*idle(sources.allowed), *ignored(settings)):
        _log.warning("%s", each)


def _named(layer: str | Mapping[str, Any]) -> str:
    if isinstance(layer, str):
        return redacted(layer)
    source = layer.get("source", layer)
    uri = redacted(source) if isinstance(source, str) else _kind(source)
    return f"{layer['name']} ({uri})" if "name" in layer else uri


def _kind(source: Any) -> str:
    is_one = isinstance(source, Mapping) and "type" in source
    return str(source["type"]) if is_one else "composite"


def _state(settings: Settings) -> tuple[str | None, str]:
    """Return the directory for the state, made, and what to say of it.

    One that cannot be used is said here once, and nobody else is told of it.

    Raises:
        click.UsageError: if one that was asked for is no directory.
    """
    wanted = directory_of(settings)
    if wanted is None:
        return None, "no state is kept: a restart needs the source"
    try:
        wrong = made(wanted)
    except NotADirectoryError as exc:
        wrong = str(exc.strerror)
        if not isinstance(settings["state_dir"], bool):
            msg = f"the state directory {wanted} is none: {wrong}"
            raise click.UsageError(msg) from exc
    if wrong:
        return None, f"no state is kept: {wanted}: {wrong}; see --state-dir"
    return wanted, f"state in {wanted}"


class _Last:
    """Remembers how the last attempt ended, as an observer."""

    outcome: Outcome | None = None

    @hookimpl
    def on_outcome(self, outcome: Outcome, runtime: Runtime) -> None:
        """Remember it; name the imports that hold a change up."""
        self.outcome = outcome
        for each in () if outcome.ok else runtime.registry.entries():
            if each.begun and each.state == "available":
                whose = f"{each.role} `{each.name}` of {each.distribution}"
                how = "the import of %s %s has not come back"
                _log.error(how, whose, each.version)

    @property
    def exit_code(self) -> Exit:
        """What a start that ended so means for the process."""
        reason = str(self.outcome.reason) if self.outcome else ""
        if reason == "source_unavailable":
            return Exit.UNAVAILABLE
        return Exit.INVALID if reason in _INVALID else Exit.FAILED


class Service:
    """Starts a runtime, and does what signals ask until one ends it.

    A handler only queues, since it may interrupt anything. The main thread waits for
    the end alone, so that nothing a module does can hold that up; starting, reloading
    and approving are a worker's.

    Args:
        runtime: what to run; not started.
        last: its observer.
        seconds: what stopping may take.
        wait: what the runtime waits at the start for its source, in seconds.
    """

    def __init__(
        self, runtime: Runtime, last: _Last, seconds: float, wait: float
    ) -> None:
        self._runtime = runtime
        self._last = last
        self._seconds = seconds
        self._wait = wait
        self._ending = False
        # Of all queues, only these may be fed by a handler that interrupts them.
        self._ends: queue.SimpleQueue[tuple[Exit, str]] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._waking, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._worker = threading.Thread(
            target=self._work, name="midflight-signals", daemon=True
        )

    def run(self) -> int:
        """Run to the end; return the exit code."""
        # The system may hand a signal to any thread: only this wakes the main one.
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in (*_ASKS, *_ENDS):
            signal.signal(number, self._caught)
        self._worker.start()
        while self._ends.empty():
            self._waking.recv(4096)
        signal.set_wakeup_fd(-1)
        code, why = self._ends.get()
        self._ending = True
        leave_in(self._seconds * _LAST_SHARE, code)
        _log.log(logging.ERROR if code else logging.INFO, "%s", why)
        notify("STOPPING=1")
        self._runtime.stop()
        self._asked.put("end")
        self._worker.join()
        if not code:
            _log.info("stopped")
        return code

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if number in _ENDS:
            self._end(Exit.OK, f"stopping: {signal.Signals(number).name}")
        else:
            self._asked.put(_ASKS[signal.Signals(number)])

    def _end(self, code: Exit, why: str) -> None:
        self._ends.put((code, why))
        with contextlib.suppress(BlockingIOError):  # full: it wakes as it is
            self._wake.send(b"\0")

    # -- the worker --------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._start()
            while not self._ending:
                self._serve(self._asks())
        except MidflightError:
            if not self._ending:
                self._end(self._last.exit_code, self._not_started())
        except BaseException:  # noqa: BLE001  # a fault of ours shall end the service, not hang it
            _log.exception("the service failed")
            self._end(Exit.FAILED, "stopping")
        if self._ending:
            self._runtime.stop()

    def _start(self) -> None:
        self._runtime.start()
        count = plural(len(self._runtime.snapshot.document.modules), "module")
        _log.info("ready: %s, process %d", count, os.getpid())
        notify("READY=1", f"MAINPID={os.getpid()}")

    def _not_started(self) -> str:
        """Say why the start was given up; the plugin `log` has told other faults."""
        outcome = self._last.outcome
        if outcome is None or self._last.exit_code != Exit.UNAVAILABLE:
            return "not started"
        waited = f"waited {self._wait:g} s: " if self._wait else ""
        why = "; ".join(fault.message for fault in outcome.faults)
        return f"not started: {waited}{why}"

    def _asks(self) -> list[str]:
        """Wait for something to do; return all that is asked, each once."""
        asks = [self._asked.get()]
        while not self._asked.empty():
            asks.append(self._asked.get())
        return list(dict.fromkeys(asks))

    def _serve(self, asks: list[str]) -> None:
        for ask in asks:
            if ask == "end" or self._ending:
                return
            if ask == "approve":
                self._say("approve", self._runtime.approve())
                continue
            reloading()
            try:
                self._say("reload", self._runtime.reload())
            finally:
                notify("READY=1")

    def _say(self, ask: str, outcome: Outcome) -> None:
        """Answer who sent the signal; the plugin `log` tells the rest."""
        if isinstance(outcome, Applied) or self._ending:
            return
        if isinstance(outcome, Unchanged):
            _log.info("%s: nothing to do", ask)
            return
        level = logging.INFO if isinstance(outcome, Held) else logging.ERROR
        stays = f"generation {outcome.generation} stays in force"
        _log.log(level, "%s: %s, %s; %s", ask, outcome.name, outcome.reason, stays)


def leave_in(seconds: float, code: int) -> None:
    """End the process after so long, whatever still runs in it."""
    overdue = threading.Event()

    def tell() -> None:
        overdue.wait()
        _log.error("something did not stop within %.3g s and is left behind", seconds)

    # Started now: at the end of the interpreter no thread can be. It is one of its
    # own, since nobody may read standard error any more: what says so gets a moment.
    telling = _background(tell)

    def leave() -> None:
        time.sleep(seconds)
        overdue.set()
        telling.join(_MOMENT)
        os._exit(code)

    _background(leave)


def _background(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread
