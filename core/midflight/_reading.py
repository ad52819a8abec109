"""Reading a source: what it gives, and whether there may be anything new."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import Any

import attrs

from midflight._document import Document
from midflight._driver import Call, Owner, Steps
from midflight._engine import Engine
from midflight._plugins import Participant
from midflight._system import System
from midflight.errors import (
    Fault,
    InvalidConfigurationError,
    MidflightError,
    PluginError,
    Positions,
    SourceUnavailableError,
)
from midflight.hookspecs import Loaded


def loaded_from(source: Participant) -> Steps[tuple[Document, Loaded]]:
    """Load a source once.

    Raises:
        InvalidConfigurationError: for content that is wrong.
        MidflightError: for a source that cannot be read.
    """
    call = source.call("load")
    # A mapping may be lazy: to read it is still the source's own work.
    both: tuple[Document, Loaded] = yield attrs.evolve(
        call, function=lambda: document_of(call.function())
    )
    return both


def document_of(loaded: Loaded | Mapping[str, Any]) -> tuple[Document, Loaded]:
    """Return what one read gave as a document.

    Raises:
        InvalidConfigurationError: for content that is wrong.
        TypeError: for what is neither.
    """
    if not isinstance(loaded, Loaded | Mapping):
        msg = f"it returned {type(loaded).__name__}, not Loaded"
        raise TypeError(msg)
    loaded = loaded if isinstance(loaded, Loaded) else Loaded(loaded)
    document = loaded.document
    if not isinstance(document, Document):
        document = Document.from_mapping(document, loaded.positions)
        loaded = attrs.evolve(loaded, document=document)
    return document, loaded


def transformed(
    engine: Engine, document: Document, positions: Positions | None = None
) -> Steps[Document]:
    """Let the plugins change a document that was loaded.

    Raises:
        InvalidConfigurationError: if they find its content wrong, and where.
        MidflightError: if one of them fails.
    """
    hook = engine.hooks.hook.transform
    if hook.get_hookimpls():
        try:
            document = yield engine.foreign(
                "plugins",
                "transform",
                hook.call_extra,
                methods=[lambda document: document],
                kwargs={"document": document, "runtime": engine.hooks.runtime},
            )
        except InvalidConfigurationError as exc:
            placed = [fault.under((), positions) for fault in exc.faults]
            raise InvalidConfigurationError(placed, exc.partial, positions) from exc
    if not isinstance(document, Document):
        msg = f"a `transform` returned {type(document).__name__}, not a Document"
        raise PluginError(msg)
    return document


def every_fault(
    engine: Engine, error: InvalidConfigurationError
) -> Steps[tuple[Fault, ...]]:
    """Return an error's faults, and those of what is sound in its document."""
    more: tuple[Fault, ...] = ()
    if error.partial is not None:
        try:
            sound = yield from transformed(engine, error.partial, error.positions)
            more = yield from faults_in(engine, sound, error.positions, ordered=False)
        except InvalidConfigurationError as exc:
            more = exc.faults
        except MidflightError:
            pass  # what is known is told
    known = (fault.under((), error.positions) for fault in error.faults)
    return (*known, *more)


def faults_in(
    engine: Engine,
    document: Document,
    positions: Positions | None,
    *,
    ordered: bool = True,
) -> Steps[tuple[Fault, ...]]:
    """Return every fault of a document's modules."""
    try:
        yield from engine.resolve(
            document, document.modules, positions, ordered=ordered
        )
    except InvalidConfigurationError as exc:
        return exc.faults
    return ()


@attrs.define(eq=False, repr=False)
class Reading:
    """A source, and what is remembered of the last read of it.

    Args:
        engine: whose plugins say what is read beside the source.
        source: what is wanted, as a participant.
        system: time and chance.
    """

    engine: Engine
    source: Participant
    _system: System
    reading: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _inputs: object = attrs.field(default=None, init=False)
    _token: str | None = attrs.field(default=None, init=False)
    # Whether `_token` is known to be that of what was loaded. If not, content that
    # came and went in between could hide: the next look loads once more.
    _proven: bool = attrs.field(default=False, init=False)
    # Whether `load` says which token it belongs to.
    _tells: bool = attrs.field(default=False, init=False)

    def note_inputs(self) -> Steps[None]:
        """Look at what `transform` reads beside the document; if new, read again."""
        ask, runtime = self.engine.hooks.hook.inputs, self.engine.hooks.runtime
        if ask.get_hookimpls():
            found = yield self.engine.foreign("plugins", "inputs", ask, runtime=runtime)
            if found != self._inputs:
                self._inputs, self._token = found, None

    def read(
        self, cause: str, *, insist: bool
    ) -> Steps[tuple[Document, Loaded] | None]:
        """Read the source while no `check` or `read` of another thread does.

        Args:
            cause: what asked for it.
            insist: whether to load although the token is the same.

        Returns:
            What was loaded, or `None` if there is nothing new.

        Raises:
            InvalidConfigurationError: for content that is wrong.
            MidflightError: for a source that cannot be read.
        """
        lock, limit = self.reading, self.source.deadline
        alone = functools.partial(lock.acquire, timeout=limit / 2)
        if not lock.acquire(blocking=False) and not (
            yield Call(alone, Owner(self.source.label), "load", limit)
        ):
            msg = f"{self.source.label}: another read does not end"
            raise SourceUnavailableError(msg)
        try:
            token: str | None = None
            last = self._token
            known = last if self._proven and not insist else None
            # A hint is mostly true: where `load` tells its token, that alone will do.
            if self.source.has("hash") and not (cause == "hint" and self._tells):
                token = yield self.source.call("hash")
            if token is not None and token == known:
                return None
            self._token, self._proven = token, token == last
            document, loaded = yield from loaded_from(self.source)
            self._tells = loaded.token is not None
            if loaded.token:
                self._token, self._proven = loaded.token, True
            if self._tells and loaded.token == known:
                return None
            return document, loaded
        finally:
            lock.release()
