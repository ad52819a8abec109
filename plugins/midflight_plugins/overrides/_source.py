"""The source: what an operator changed, kept by another source that can be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Document, Loaded, Place, hookimpl
from midflight.hookspecs import Version
from midflight_plugins.overrides._change import ANY, Judge, Writer, Written
from midflight_plugins.overrides._edit import Tree, keys_of, leaves, tree_of
from midflight_plugins.overrides._followers import Followers
from midflight_plugins.overrides._planned import (
    UNSET,
    Edit,
    Head,
    Look,
    Rewrite,
    unlooked,
)
from midflight_plugins.overrides._store import Kept, name_of, uri_of

if TYPE_CHECKING:
    from midflight import Runtime

_ABSENT = "absent"


@attrs.frozen
class Override:
    """One value that is set.

    Args:
        path: the keys that lead to it.
        value: what is set, as it is stored.
        place: where it stands, if its store knows.
    """

    path: tuple[str, ...]
    value: Any
    place: Place | None = None


class OverridesSource:
    """A layer of single values that operators set, above all others.

    They are kept by another source that can be written. One that holds nothing yet is
    an empty layer. Every method may be called from any thread; on an event loop, use
    `asyncio.to_thread`.

    Args:
        store: the URI of a source that has `put`, such as `file:overrides.yaml`, a
            mapping of its type and options, or a source object.
    """

    def __init__(self, store: str | Mapping[str, Any] | object = "memory:") -> None:
        self.name = f"overrides:{name_of(store)}"
        self._kept = Kept(store, self.name)
        self._followers = Followers()

    @classmethod
    def from_uri(cls, rest: str) -> OverridesSource:
        """Make a source of what follows `overrides:`: `memory`, or a URI.

        Raises:
            ValueError: it is neither.
        """
        return cls(uri_of(rest))

    def __repr__(self) -> str:
        return f"OverridesSource({self.name!r})"

    # -- what operators do -------------------------------------------------------

    def set(
        self,
        path: str | Sequence[str],
        value: Any,
        *,
        expected_version: str | int | None = ANY,
        author: str = "",
        message: str = "",
        look: Look = unlooked,
    ) -> Written:
        """Set one value, and keep it only if it is not refused.

        A runtime of this process that has this object as a layer applies it before the
        method returns. Called inside a hook, it only stores.

        Args:
            path: keys with dots between them, `modules.web.config.port`, a key that
                holds a dot in double quotes; or a tuple of keys.
            value: what a document can hold; a list or a mapping replaces what this
                layer has there.
            expected_version: refuse unless the store is at that version, `None` if
                there is none yet; by default, whatever it is.
            author: who does it.
            message: why.
            look: gets what is stored, and what shall be as plain mappings, each time
                before that is written; what it raises ends the write.

        Raises:
            RefusedError: the configuration with it is refused, or is already and
                stays so; the store is as before.
            InvalidConfigurationError: no document can hold it.
            ConflictError: the store is at another version.
            UnknownOutcomeError: nobody can tell whether it was stored.
            SourceUnavailableError: it was not stored.
        """
        edit = Edit(keys_of(path), value, look)
        return self._write(edit, expected_version, author, message)

    def unset(
        self,
        path: str | Sequence[str],
        *,
        expected_version: str | int | None = ANY,
        author: str = "",
        message: str = "",
        look: Look = unlooked,
    ) -> Written:
        """Take one value, or all below it, out of this layer; as `set` otherwise.

        Raises:
            KeyError: nothing is set there.
        """
        edit = Edit(keys_of(path), UNSET, look)
        return self._write(edit, expected_version, author, message)

    def rewrite(
        self,
        change: Callable[[Tree, str | int | None], Tree],
        *,
        author: str = "",
        message: str = "",
        approves: str = "",
    ) -> Written:
        """Change many values at once, by what is stored; as `set` otherwise.

        Args:
            change: gets what is stored as plain mappings, modules by name, with the
                version of the store, and returns what is to be stored, as a new
                mapping. If another writer is quicker it is asked again. What it
                raises ends the write, and nothing is stored.
            author: who does it.
            message: why.
            approves: the digest that was looked at: if just that is what the strategy
                holds then, it is carried out at once.
        """
        return self._write(Rewrite(change), ANY, author, message, approves=approves)

    @staticmethod
    def keys(path: str | Sequence[str]) -> tuple[str, ...]:
        """Return the keys of a path, as `set` reads it.

        Raises:
            InvalidConfigurationError: if it is no path to a value.
        """
        return keys_of(path)

    def head(self) -> Head:
        """Read what is stored, together with its version.

        Raises:
            InvalidConfigurationError: what is stored is wrong.
            SourceUnavailableError: it cannot be read.
        """
        return self._kept.head()

    def list(self) -> tuple[Override, ...]:
        """Return every value that is set.

        Raises:
            InvalidConfigurationError: what is stored is wrong.
            SourceUnavailableError: it cannot be read.
        """
        loaded = self._kept.loaded()
        if loaded is None:
            return ()
        place = loaded.positions or (lambda _path: None)
        return tuple(
            Override(keys, value, place(keys))
            for keys, value in leaves(tree_of(_document(loaded)))
        )

    @property
    def version(self) -> str | int | None:
        """The version of the store, `None` if there is none yet."""
        return self.head().version

    def writer(
        self, judge: Judge, author: str, message: str, told: Path | None = None
    ) -> Writer:
        """Return what changes the store on behalf of another process.

        Args:
            judge: tells what became of the change there.
            author: who makes it.
            message: why.
            told: the state directory of that process, which learns the author there.
        """
        self._kept.told = told
        return Writer(self._kept, judge, author, message)

    def _write(
        self,
        wanted: Edit | Rewrite,
        expected: Any,
        author: str,
        message: str,
        *,
        approves: str = "",
    ) -> Written:
        with self._followers.turn(approves=approves) as judge:
            return Writer(self._kept, judge, author, message).write(wanted, expected)

    # -- hooks -------------------------------------------------------------------

    @hookimpl
    def hash(self, runtime: Runtime) -> str | None:
        """Return the token of the store.

        Raises:
            SourceUnavailableError: it cannot be read, which is not to hold nothing.
        """
        self._followers.add(runtime)
        return self._kept.token(runtime, _ABSENT)

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Read what the store holds.

        Raises:
            SourceUnavailableError: it cannot be read, which is not to hold nothing.
            InvalidConfigurationError: it holds something wrong.
        """
        self._followers.add(runtime)
        loaded = self._kept.loaded(runtime)
        if loaded is None:
            return Loaded({}, positions=lambda _path: Place(self.name))
        return loaded

    @hookimpl
    def watch(
        self, notify: Callable[[], None], runtime: Runtime
    ) -> AbstractContextManager[object] | None:
        """Watch the store, if it can be watched."""

        def told() -> None:
            # Not on the thread of a writer: a module that hangs would keep it for ever.
            if not self._followers.asks(runtime):
                notify()

        store = self._kept.participant(runtime)
        watch: AbstractContextManager[object] | None = None
        if store.has("watch"):
            watch = store.invoke("watch", notify=told)
        return watch

    @hookimpl
    def stop(self, runtime: Runtime) -> None:
        """Let the store let go of what it holds."""
        store = self._kept.participant(runtime)
        if store.has("stop"):
            store.invoke("stop")

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
        """Store all overrides at once.

        Raises:
            ConflictError: that version is not the head.
            PluginError: the store cannot be written.
        """
        self._kept.participant(runtime)
        return self._kept.put(document, expected_version, author, message, text)

    @hookimpl
    def history(self, limit: int, runtime: Runtime) -> Sequence[Version]:
        """List the versions of the store.

        Raises:
            PluginError: it keeps none.
        """
        return list(self._kept.ask("history", runtime, limit=limit))

    @hookimpl
    def read_version(self, version: str | int, runtime: Runtime) -> Loaded:
        """Read one version of the store.

        Raises:
            KeyError: it is not kept.
            PluginError: the store keeps none.
        """
        loaded: Loaded = self._kept.ask("read_version", runtime, version=version)
        return loaded


def _document(loaded: Loaded) -> Document:
    found = loaded.document
    if isinstance(found, Document):
        return found
    return Document.from_mapping(found, loaded.positions)
