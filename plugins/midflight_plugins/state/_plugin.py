"""The hooks of the state directory; without one they do nothing.

What they need is imported when a runtime with a state directory starts.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from midflight import Document, Loaded, Outcome, Runtime, hookimpl

if TYPE_CHECKING:
    from midflight_plugins.state._disk import Disk
    from midflight_plugins.state._keeper import Keeper


class StatePlugin:
    """Keeps the last good configuration, marks attempts, and writes the journal.

    Args:
        disk: makes the file operations; the operating system's by default.
    """

    def __init__(self, disk: Disk | None = None) -> None:
        self._disk = disk
        self._keepers: weakref.WeakKeyDictionary[Runtime, Keeper]
        self._keepers = weakref.WeakKeyDictionary()
        self._inherited: list[Keeper] = []  # a forked child's, never closed in it

    @hookimpl
    def lifespan(self, runtime: Runtime) -> AbstractContextManager[None] | None:
        """Open the state directory for as long as the runtime runs."""
        return None if runtime.state_dir is None else self._kept(runtime)

    @contextlib.contextmanager
    def _kept(self, runtime: Runtime) -> Iterator[None]:
        from midflight_plugins.state._disk import Disk
        from midflight_plugins.state._keeper import Keeper

        if (parents := self._keepers.pop(runtime, None)) is not None:
            parents.abandon()
            self._inherited.append(parents)
        keeper = self._keepers[runtime] = Keeper(runtime, self._disk or Disk())
        keeper.open()
        try:
            yield
        finally:
            del self._keepers[runtime]
            keeper.close()

    @hookimpl(wrapper=True, tryfirst=True)
    def transform(
        self, document: Document, runtime: Runtime
    ) -> Generator[None, Document, Document]:
        """Refuse what has ended the process too often while it was applied.

        Raises:
            InvalidConfigurationError: `E_POISONED`.
        """
        result = yield
        keeper = self._keepers.get(runtime)
        if keeper is not None and isinstance(result, Document):
            keeper.judge(document, result)
        return result

    @hookimpl
    def inputs(self, runtime: Runtime) -> str | None:
        """Return a token of what is refused: once forgiven, it is looked at again."""
        keeper = self._keepers.get(runtime)
        return None if keeper is None else keeper.token()

    @hookimpl
    def on_apply(self, document: Document, runtime: Runtime) -> None:
        """Mark the attempt."""
        keeper = self._keepers.get(runtime)
        if keeper is not None:
            keeper.begun(document)

    @hookimpl(tryfirst=True)
    def on_outcome(self, outcome: Outcome, runtime: Runtime) -> None:
        """Take the mark away, keep what is good, write down what was decided."""
        keeper = self._keepers.get(runtime)
        if keeper is not None:
            keeper.ended(outcome)

    @hookimpl
    def recall(self, runtime: Runtime) -> Loaded | None:
        """Return the newest configuration that was good in an earlier run."""
        keeper = self._keepers.get(runtime)
        return None if keeper is None else keeper.recall()

    @hookimpl
    def journal(
        self, limit: int, before: int | None, runtime: Runtime
    ) -> Sequence[Mapping[str, Any]] | None:
        """List what was decided, newest first.

        Raises:
            StateError: if it cannot be read.
        """
        if runtime.state_dir is None:
            return None
        from midflight_plugins.state._reading import records_of

        return records_of(runtime.state_dir, limit, before)

    @hookimpl
    def record(self, entry: Mapping[str, Any], runtime: Runtime) -> None:
        """Write down what was decided outside the core."""
        keeper = self._keepers.get(runtime)
        if keeper is not None:
            keeper.note(entry)

    @hookimpl
    def restore(self, digest: str, runtime: Runtime) -> Loaded | None:
        """Return a configuration that was in force before, if it is kept."""
        keeper = self._keepers.get(runtime)
        return None if keeper is None else keeper.restore(digest)
