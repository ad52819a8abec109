"""Calls participants the way the core does, on the thread of the test."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

from midflight._change import Change
from midflight._document import Document, ModuleConfig
from midflight._driver import drive_here
from midflight._engine import Engine
from midflight._plan import Plan
from midflight._plugins import Participant
from midflight._reading import document_of
from midflight._reloader import Reloader
from midflight._runtime import Runtime
from midflight.hookspecs import Health, Loaded, hookimpl
from midflight.testing._fakes import FakeSource
from midflight.testing._system import wait_until

_LIFE = 60  # s, before a child ends by itself


class _AnyType:
    """Makes a section of the modules, so that their types need not be known."""

    @hookimpl(wrapper=True, trylast=True)
    def transform(self) -> Generator[None, Document, Document]:
        """Return a document without modules, which differs as this one does."""
        document = yield
        return Document.from_mapping({"contract": document.as_mapping()})


def runtime_of(source: object, **options: Any) -> Runtime:
    """Return a runtime that applies what a source has, and runs none of it."""
    return Runtime(source, plugins=[_AnyType()], **options)


def unused(runtime: Runtime) -> None:
    """End what plugins keep for a runtime that was asked, and never started."""
    for kept in runtime.shared.values():
        if hasattr(kept, "close"):
            kept.close()


class SourceCalls:
    """A source, made a participant of a runtime that is not started."""

    def __init__(self, source: object) -> None:
        self.runtime = Runtime(source)
        reloader: Reloader = vars(self.runtime)["_reloader"]
        self._participant = reloader.attempts.source

    @property
    def target(self) -> object:
        """The source itself."""
        return self._participant.target

    def has(self, hook: str) -> bool:
        """Tell whether the source has a hook."""
        return self._participant.has(hook)

    def load(self) -> Loaded:
        """Return what one `load` gives."""
        loaded = self._participant.invoke("load")
        return Loaded(loaded) if isinstance(loaded, Mapping) else loaded

    def document(self) -> Document:
        """Return the document of one `load`, as the core makes it."""
        return self.runtime.read()[0]

    def read(self) -> tuple[Document, Loaded]:
        """Return the document of one `load`, and what else that gave."""
        return document_of(self._participant.invoke("load"))

    def token(self) -> str | None:
        """Return the change token, `None` if the source has none."""
        token: str | None = (
            self._participant.invoke("hash") if self.has("hash") else None
        )
        return token

    def watch(self, notify: Callable[[], None]) -> AbstractContextManager[object]:
        """Return the context manager of one watch."""
        watch = self._participant.invoke("watch", notify=notify)
        assert watch is not None, "`watch` returned None"
        manager: AbstractContextManager[object] = watch
        return manager

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call any other hook."""
        return self._participant.invoke(hook, **arguments)


class ModuleCalls:
    """One object of a module class, and its hooks by name.

    Args:
        runtime: knows the class as `under-test`; the hooks are given it.
        document: what they are given as `document`.
    """

    def __init__(self, runtime: Runtime, document: Document) -> None:
        self._engine: Engine = vars(runtime)["_engine"]
        self._document = document
        self._kind = self._engine.kinds["under-test"]
        made = self._engine.made(_entry({}), self._kind)
        self._participant: Participant = drive_here(made)

    def has(self, hook: str) -> bool:
        """Tell whether the module has a hook."""
        return self._participant.has(hook)

    def typed(self, config: Mapping[str, Any]) -> Any:
        """Return a configuration as the class's `Config` types it.

        Raises:
            InvalidConfigurationError: if it does not fit.
        """
        frozen = _entry(config).config
        return drive_here(self._engine.structured(frozen, self._kind.config))

    def prepare(self, config: Any) -> Any:
        """Return what `prepare` returns, `None` without that hook."""
        return self._call("prepare", config=config, document=self._document)

    def start(self, config: Any) -> None:
        """Prepare and start on a typed configuration."""
        prepared, document = self.prepare(config), self._document
        self._call("start", config=config, prepared=prepared, document=document)

    def reconfigure(self, config: Any, previous: Any) -> None:
        """Prepare and reconfigure from one typed configuration to another."""
        self._call(
            "reconfigure",
            config=config,
            previous=previous,
            prepared=self.prepare(config),
            document=self._document,
        )

    def discard(self, prepared: Any) -> None:
        """Discard what was prepared, if the module has that hook."""
        self._call("discard", prepared=prepared)

    def stop(self) -> None:
        """Stop, if the module has that hook."""
        self._call("stop")

    def probe(self) -> Health:
        """Return what `probe` says, an empty `Health` without that hook."""
        answer = self._call("probe")
        assert isinstance(answer, Health | Mapping | None), "`probe` gives no `Health`"
        return answer if isinstance(answer, Health) else Health(values=answer or {})

    def _call(self, hook: str, **arguments: Any) -> Any:
        return self._participant.invoke(hook, **arguments) if self.has(hook) else None


def _entry(config: Mapping[str, Any]) -> ModuleConfig:
    raw = {"modules": {"under-test": {"type": "under-test", "config": config}}}
    return Document.from_mapping(raw).modules["under-test"]


class StrategyCalls:
    """A strategy, asked by a runtime that is not started."""

    def __init__(self, strategy: object) -> None:
        runtime = Runtime(FakeSource(), strategy=strategy)
        engine: Engine = vars(runtime)["_engine"]
        assert engine.strategy is not None
        self._participant = engine.strategy

    def plan(self, change: Change) -> Plan:
        """Return the plan for a change."""
        plan = self._participant.invoke("on_change", change=change)
        assert isinstance(plan, Plan), "`on_change` returned no `Plan`"
        return plan


class Child:
    """A forked child that calls a function.

    Args:
        act: what it calls; it returns the answer as a text.
    """

    def __init__(self, act: Callable[[], str]) -> None:
        self._reader, writer = os.pipe()
        with warnings.catch_warnings():
            # What a fork beside threads may break is what this looks at.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            _answer(act, writer)
        os.close(writer)

    def answer(self, seconds: float) -> str:
        """Return what the child answers, and end it.

        Raises:
            AssertionError: if it does not answer in time.
        """
        ready = select.select([self._reader], [], [], seconds)[0]
        answer = os.read(self._reader, 1 << 16).decode() if ready else ""
        os.close(self._reader)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        assert answer, f"a forked child gave no answer within {seconds:g} s"
        return answer


def _answer(act: Callable[[], str], writer: int) -> NoReturn:
    """Write down what a function returns or raises, and end without a farewell."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_LIFE)  # even if its parent has forgotten it
    try:
        text = act()
    except BaseException as exc:  # noqa: BLE001  # the parent is to learn of it
        text = f"raised {exc!r}"
    os.write(writer, text.encode())
    os._exit(0)


class Belongings:
    """The threads and descriptors of this process at one moment."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._descriptors = _descriptors()

    def wait_until_back(self, seconds: float, advice: str) -> None:
        """Wait until no thread and no descriptor is left that was not there.

        Args:
            seconds: how long to wait at the most.
            advice: what to do about those that stay.

        Raises:
            AssertionError: naming those that stay.
        """
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self._more(), seconds=seconds)
        more = self._more()
        assert more == [], f"left open for {seconds:g} s: {advice}"

    def _more(self) -> list[str]:
        names = [t.name for t in set(threading.enumerate()) - self._threads]
        more = _descriptors() - self._descriptors
        return [*names, f"{more} descriptors"] if more > 0 else names


def _descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if sys.platform == "linux" else 0
