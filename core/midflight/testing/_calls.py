"""Calls participants the way the core does, on the thread of the test."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from midflight._change import Change
from midflight._document import Document, ModuleConfig
from midflight._driver import drive_here
from midflight._engine import Engine
from midflight._plan import Plan
from midflight._plugins import Participant
from midflight._reloader import Reloader
from midflight._runtime import Runtime
from midflight.hookspecs import Health, Loaded
from midflight.testing._fakes import FakeSource
from midflight.testing._system import wait_until


class SourceCalls:
    """A source, made a participant of a runtime that is not started."""

    def __init__(self, source: object) -> None:
        self.runtime = Runtime(source)
        reloader: Reloader = vars(self.runtime)["_reloader"]
        self._participant = reloader.attempts.source

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


class Belongings:
    """The threads and descriptors of this process at one moment."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._descriptors = _descriptors()

    def wait_until_back(self) -> None:
        """Wait until no thread and no descriptor is left that was not there.

        Raises:
            AssertionError: naming those that stay.
        """
        wait_until(lambda: not self._more(), f"no leak, but {self._more() or 'late'},")

    def _more(self) -> list[str]:
        names = [t.name for t in set(threading.enumerate()) - self._threads]
        more = _descriptors() - self._descriptors
        return [*names, f"{more} descriptors"] if more > 0 else names


def _descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if sys.platform == "linux" else 0
