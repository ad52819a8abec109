"""What keeps the overrides: another source, asked through its hooks."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Document, Loaded
from midflight.errors import MidflightError, PluginError, SourceUnavailableError
from midflight_plugins.overrides._authors import Authors
from midflight_plugins.overrides._edit import tree_of
from midflight_plugins.overrides._planned import Head

if TYPE_CHECKING:
    from midflight import Runtime

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9+-]*")
_USER = re.compile(r"//.*@")
_QUERY = re.compile(r"\?[^#]*")


def uri_of(rest: str) -> str:
    """Return the URI of a store named in a URI of overrides.

    Raises:
        ValueError: it is none.
    """
    if ":" in rest:
        return rest
    if _WORD.fullmatch(rest):
        return f"{rest}:"
    msg = "`overrides:` needs a store, as in `overrides:file:overrides.yaml`"
    raise ValueError(msg)


def name_of(store: object) -> str:
    """Name a store; nothing that may be a password is part of it."""
    if isinstance(store, str):
        shown = _QUERY.sub("", _USER.sub("//…@", store))
        return shown.removesuffix(":")
    if isinstance(store, Mapping):
        return str(store.get("type", ""))
    return str(getattr(store, "name", None) or type(store).__name__)


class Kept:
    """A store as a participant of whichever runtime asks; one object for all.

    Args:
        store: a URI, a mapping, or a source object.
        name: how errors name it.
    """

    def __init__(self, store: object, name: str) -> None:
        self.name = name
        self._store = store
        self._made: tuple[weakref.ref[Runtime], Any] | None = None
        self._own: Runtime | None = None
        self._seen = False  # whether it ever held something
        self._authors = Authors()
        self.told: Path | None = None  # where another process learns of an author
        self._making, self._reading = threading.Lock(), threading.Lock()
        os.register_at_fork(after_in_child=_unlock(weakref.ref(self)))

    def participant(self, runtime: Runtime | None = None) -> Any:
        """Return the store as a participant; without a runtime, of the last that asked.

        Raises:
            PluginError: it cannot be made.
        """
        with self._making:
            known, made = self._made or (lambda: None, None)
            current = known()
            if current is not None and runtime in {None, current}:
                return made
            if runtime is None:
                runtime = self._own = self._own or _alone(self._store)
            # A URI is made into an object once: one in memory holds what was set.
            made = runtime.source(self._store)
            self._store = made.target
            self._made = weakref.ref(runtime), made
            return made

    def ask(self, hook: str, runtime: Runtime | None = None, **arguments: Any) -> Any:
        """Call a hook that a store need not have.

        Raises:
            PluginError: it has none.
        """
        store = self.participant(runtime)
        if not store.has(hook):
            why = "cannot be written" if hook == "put" else "keeps no versions"
            msg = f"{self.name} {why}: it has no hook `{hook}`"
            raise PluginError(msg)
        return store.invoke(hook, **arguments)

    # -- reading -----------------------------------------------------------------

    def loaded(self, runtime: Runtime | None = None) -> Loaded | None:
        """Read what is there; `None` if nothing was ever stored.

        A store without versions is known by the token of its content.

        Raises:
            SourceUnavailableError: it cannot be read.
            InvalidConfigurationError: it is wrong.
        """
        store = self.participant(runtime)
        try:
            with self._reading:  # `load` of a source never overlaps itself
                found = store.invoke("load")
        except (SourceUnavailableError, OSError) as exc:
            if self._is_absent(store, exc):
                return None
            self._raise_if_gone(exc)
            raise
        self._seen = True
        loaded = found if isinstance(found, Loaded) else Loaded(found)
        if isinstance(loaded.document, Document) and not loaded.author:
            where = runtime.state_dir if runtime is not None else None
            author = self._authors.of(loaded.document.digest, where)
            loaded = attrs.evolve(loaded, author=author)
        if loaded.version is None and loaded.token is not None and store.has("put"):
            known = not store.has("history")
            return attrs.evolve(loaded, version=loaded.token if known else None)
        return loaded

    def head(self) -> Head:
        """Read what is there, as plain mappings."""
        loaded = self.loaded()
        if loaded is None:
            return Head({}, None, None)
        found = loaded.document
        if not isinstance(found, Document):
            found = Document.from_mapping(found, loaded.positions)
        return Head(tree_of(found), loaded.version, loaded.text)

    def token(self, runtime: Runtime, absent: str) -> str | None:
        """Return the token of what is there, `absent` if nothing was ever stored."""
        store = self.participant(runtime)
        if not store.has("hash"):
            return None
        try:
            with self._reading:
                token: str | None = store.invoke("hash")
        except (SourceUnavailableError, OSError) as exc:
            if self._is_absent(store, exc):
                return absent
            self._raise_if_gone(exc)
            raise
        return token

    def _is_absent(self, store: Any, error: Exception) -> bool:
        """Tell a store that holds nothing yet from one that cannot be read.

        One that is away, or lost what it held, must not look empty: every override
        would be undone.
        """
        if self._seen:
            return False
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, FileNotFoundError) and cause.filename:
            return Path(os.fsdecode(cause.filename)).parent.is_dir()
        if not store.has("history"):
            return False
        with contextlib.suppress(SourceUnavailableError, OSError):
            if store.has("hash"):
                store.invoke("hash")  # a source that makes what is not there does it so
        with contextlib.suppress(SourceUnavailableError, OSError):
            return not store.invoke("history", limit=1)
        return False

    def _raise_if_gone(self, error: Exception) -> None:
        """Say what to do about a file that is no longer there.

        Raises:
            SourceUnavailableError: if that is why it cannot be read.
        """
        cause = error if isinstance(error, OSError) else error.__cause__
        if self._seen and isinstance(cause, FileNotFoundError) and cause.filename:
            msg = f"{error}; put it back, or write `{{}}` there to begin anew"
            raise SourceUnavailableError(msg) from cause

    # -- writing -----------------------------------------------------------------

    def put(
        self,
        document: Document,
        expected: str | int | None,
        author: str,
        message: str,
        text: str | None = None,
    ) -> str | int:
        """Store a document on top of a version, and return the new one."""
        self._authors.announce(document.digest, author, self.told)
        version: str | int = self.ask(
            "put",
            document=document,
            expected_version=expected,
            author=author,
            message=message,
            text=text,
        )
        self._seen = True
        return version


def _alone(store: object) -> Runtime:
    """Return a runtime that never starts, to make a participant of a store.

    Below a command of `midflight` it imports only what the settings let in.
    """
    import click

    from midflight import PluginRegistry, Runtime

    ctx = click.get_current_context(silent=True)
    found = ctx.find_root().obj if ctx else None
    settings = found if isinstance(found, Mapping) else {}
    try:
        allow, plugins = settings.get("allow", True), settings.get("plugins", ())
    except MidflightError:  # settings that are wrong let in nobody but ours
        allow, plugins = (), ()
    registry = PluginRegistry(allow=None if allow is True else allow)
    return Runtime(store, registry=registry.without(plugins))


def _unlock(kept: weakref.ref[Kept]) -> Any:
    def unlock() -> None:
        alive = kept()
        if alive is not None:
            alive._making, alive._reading = threading.Lock(), threading.Lock()  # noqa: SLF001  # its own

    return unlock
