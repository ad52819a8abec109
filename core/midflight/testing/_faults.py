"""A source with faults that a test switches, for what has to survive them."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from midflight._document import Document
from midflight.hookspecs import SOURCE_HOOKS, Loaded, Version, hookimpl
from midflight.testing._calls import SourceCalls

if TYPE_CHECKING:
    from midflight._runtime import Runtime


class Faulty:
    """A source with faults round another one, whose hooks it has; see `faulty`.

    Each fault is an attribute, which may be set at any time, from any thread.

    Attributes:
        error: what `hash`, `load` and `put` raise; `None` if nothing.
        every: raise it only at each call so many; 1 is at each.
        times: raise it so many times more; `None` is for ever.
        hangs: whether they wait, until this is false again.
        torn: the share of the text that is there to be read; 1 is all. The text is that
            of the source, if `load` tells it, else its document as JSON.
        stale: whether `load` repeats what it gave last, while `hash` goes on.
        back: how many documents `hash` and `load` go back, to older versions.
        mutates: whether it writes into what `load` returned, at the next call.
        hints: how many hints become of each: 0 loses them, 2 doubles them.
        late: whether hints are kept back, until this is false again.
        calls: how often each hook was called.
    """

    def __init__(self, source: object) -> None:
        self.error: BaseException | None = None
        self.every = 1
        self.times: int | None = None
        self.torn, self.stale, self.back, self.mutates = 1.0, False, 0, False
        self.hints = 1
        self.calls: Counter[str] = Counter()
        self._source = source
        self._going = threading.Event()
        self._going.set()
        self._given: list[tuple[str | None, Loaded]] = []  # of each version, in order
        self._token: str | None = None
        self._lent: list[Any] = []
        self._late, self._kept = False, 0
        self._open: list[Callable[[], None]] = []

    @property
    def name(self) -> str:
        """The name of the source inside."""
        return str(getattr(self._source, "name", type(self._source).__name__))

    @property
    def hangs(self) -> bool:
        """Whether `hash`, `load` and `put` wait."""
        return not self._going.is_set()

    @hangs.setter
    def hangs(self, hangs: bool) -> None:
        (self._going.clear if hangs else self._going.set)()

    @property
    def late(self) -> bool:
        """Whether hints are kept back."""
        return self._late

    @late.setter
    def late(self, late: bool) -> None:
        self._late = late
        if not late:
            kept, self._kept = self._kept, 0
            for notify in self._open * kept:
                notify()

    # -- hooks; those that the source inside has not are hidden by `faulty` ------------

    @hookimpl
    def hash(self, runtime: Runtime) -> str | None:
        """Return the token, or that of what is read instead."""
        self._trouble("hash")
        if self.back and self._given:
            return self._older()[0]
        token: str | None = self._ask(runtime, "hash")
        self._token = token
        return token if self.torn == 1 else f"{token} torn at {self.torn}"

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Return what the source has, as far as the faults let it through."""
        self._trouble("load")
        if (self.back or self.stale) and self._given:
            loaded = self._older()[1]
        else:
            loaded = self._read(runtime)
        if self.torn != 1:
            return self._half(loaded, runtime)
        if self.mutates:
            raw = _mapping(loaded)
            self._lent.append(raw)
            return attrs.evolve(loaded, document=raw)
        return loaded

    @hookimpl
    @contextlib.contextmanager
    def watch(self, notify: Callable[[], None], runtime: Runtime) -> Iterator[None]:
        """Watch the source, and pass on the hints that are due."""

        def hint() -> None:
            if self._late:
                self._kept += self.hints
                return
            for _ in range(self.hints):
                notify()

        self._open.append(notify)
        try:
            manager = self._ask(runtime, "watch", notify=hint)
            with manager or contextlib.nullcontext():
                yield
        finally:
            self._open.remove(notify)

    @hookimpl
    def put(
        self,
        document: Document,
        expected_version: str | int | None,
        author: str,
        message: str,
        text: str | None,
        runtime: Runtime,
    ) -> str | int:
        """Put it into the source."""
        self._trouble("put")
        version: str | int = self._ask(
            runtime,
            "put",
            document=document,
            expected_version=expected_version,
            author=author,
            message=message,
            text=text,
        )
        return version

    @hookimpl
    def history(self, limit: int, runtime: Runtime) -> list[Version]:
        """Return what the source lists."""
        return list(self._ask(runtime, "history", limit=limit))

    @hookimpl
    def read_version(self, version: str | int, runtime: Runtime) -> Loaded:
        """Return what the source keeps."""
        loaded: Loaded = self._ask(runtime, "read_version", version=version)
        return loaded

    @hookimpl
    def stop(self, runtime: Runtime) -> None:
        """Stop the source."""
        self._ask(runtime, "stop")

    # -- inside ------------------------------------------------------------------

    def _ask(self, runtime: Runtime, hook: str, **arguments: Any) -> Any:
        return runtime.source(self._source).invoke(hook, **arguments)

    def _trouble(self, hook: str) -> None:
        """Do what one call does, whatever it is for: count, spoil, wait, raise."""
        self.calls[hook] += 1
        while self._lent:
            _spoil(self._lent.pop())
        self._going.wait()
        if self.error is None or self.times == 0 or self.calls.total() % self.every:
            return
        if self.times is not None:
            self.times -= 1
        raise self.error

    def _read(self, runtime: Runtime) -> Loaded:
        loaded = self._ask(runtime, "load")
        loaded = loaded if isinstance(loaded, Loaded) else Loaded(loaded)
        last = self._given[-1][1] if self._given else None
        if last is None or _mapping(last) != _mapping(loaded):
            kept = attrs.evolve(loaded, document=_mapping(loaded))
            self._given.append((loaded.token or self._token, kept))
        return loaded

    def _older(self) -> tuple[str | None, Loaded]:
        token, loaded = self._given[max(-1 - self.back, -len(self._given))]
        return token, attrs.evolve(loaded, document=_mapping(loaded))

    def _half(self, loaded: Loaded, runtime: Runtime) -> Loaded:
        """Return what the beginning of the text says, if that says anything."""
        data = (loaded.text or json.dumps(_mapping(loaded), default=str)).encode()
        kind = "json" if loaded.text is None else "yaml"
        half = runtime.parse(data[: int(len(data) * self.torn)], kind, self.name)
        return attrs.evolve(half, version=loaded.version)


def faulty(source: object, **faults: Any) -> Faulty:
    """Return a source round another one, with faults that can be switched.

    Args:
        source: the source inside: what `Runtime` takes.
        faults: attributes of `Faulty` to begin with, such as `hints=0`.

    Raises:
        TypeError: if there is no such fault.
    """
    calls = SourceCalls(source)
    lacks: dict[str, Any] = {hook: None for hook in SOURCE_HOOKS if not calls.has(hook)}
    made: Faulty = type("Faulty", (Faulty,), lacks)(calls.target)
    for name, value in faults.items():
        if name not in _FAULTS:
            msg = f"no fault is called `{name}`; there are {', '.join(_FAULTS)}"
            raise TypeError(msg)
        setattr(made, name, value)
    return made


_FAULTS = (
    *("back", "error", "every", "hangs", "hints", "late", "mutates"),
    *("stale", "times", "torn"),
)


def _mapping(loaded: Loaded) -> dict[str, Any]:
    document = loaded.document
    raw = document.as_mapping() if isinstance(document, Document) else document
    return copy.deepcopy(dict(raw))


def _spoil(value: Any) -> None:
    """Write into every part of a value."""
    for each in list(value.values() if isinstance(value, dict) else value):
        if isinstance(each, dict | list):
            _spoil(each)
    if isinstance(value, dict):
        value["spoiled"] = True
    else:
        value.append("spoiled")
