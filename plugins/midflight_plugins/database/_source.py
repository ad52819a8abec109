"""The source: one document of a database, with its versions."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import attrs

from midflight import Document, Fault, Loaded, Place, hookimpl
from midflight.errors import Code, InvalidConfigurationError, SourceUnavailableError
from midflight.hookspecs import Version
from midflight_plugins.database._url import checked_key, parsed

if TYPE_CHECKING:
    from midflight import Runtime
    from midflight_plugins.database._rows import Row
    from midflight_plugins.database._store import Store

_log = logging.getLogger("midflight.database")
_NUMBERS = range(1, 2**63)  # of versions


class DatabaseSource:
    """One document in a table of SQLite, PostgreSQL, MariaDB or MySQL.

    Args:
        url: as in a URI after `database:`; `${NAME}` and `${file:/path}` in it stand
            for an environment variable and the first line of a file.
        key: which document; by default what follows `#` in `url`, else `default`.
        poll: seconds between two looks; by default 5, or 30 while push works.
        timeout: seconds that one statement or one connect may take; by default 5.
        strict: refuse a row whose `hash` is not the sha256 of its `data`; by default
            it is followed, with a warning.

    Raises:
        ValueError: an option is wrong.
        PluginError: the URL is none, or a reference in it leads nowhere.
        MissingDependencyError: the database's driver is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        poll: float | None = None,
        timeout: float | None = None,
        strict: bool | None = None,
    ) -> None:
        options = {"poll": poll, "timeout": timeout, "strict": strict}
        self.settings, in_url = parsed(url, **options)
        self.key = in_url if key is None else checked_key(key)
        self.name = f"database:{self.settings.url}#{self.key}"
        self._lock = threading.Lock()
        self._stored: Store | None = None
        self._watches = 0
        self._is_there = False
        self._warned: int | None = None

    @classmethod
    def from_uri(cls, rest: str) -> DatabaseSource:
        """Make a source of what follows `database:`, as in `sqlite:///app.db#web`."""
        return cls(rest)

    def __repr__(self) -> str:
        return f"DatabaseSource({self.name!r})"

    # -- hooks -------------------------------------------------------------------

    @hookimpl
    def hash(self) -> str:
        """Return the token of the head row, as last seen by a watch, or by a query.

        Who asks for tokens runs on the document, and may have to wait for it: a SQLite
        database that is not there is made. Who only reads it once makes none.

        Raises:
            SourceUnavailableError: there is no such row, or the database is away.
        """
        self._ensure()
        if self._watches:
            from midflight_plugins.database._hub import observed

            if (seen := observed(self.settings, self.key)) is not None:
                return seen
        found = self._store.tokens([self.key]).get(self.key)
        if found is None:
            raise self._absent()
        return found

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Read the head row, by one query.

        Raises:
            SourceUnavailableError: there is no such row, or the database is away.
            InvalidConfigurationError: with every fault, each with its place.
        """
        row = self._store.head(self.key)
        if row is None:
            raise self._absent()
        self._check(row)
        return self._loaded(row, runtime, self.name)

    @hookimpl
    def watch(self, notify: Callable[[], None]) -> AbstractContextManager[object]:
        """Call `notify` when the head row changes: by push, file watch or poll."""
        return _Once(self._watched(notify))

    @hookimpl
    def put(
        self,
        document: Document,
        expected_version: str | int | None,
        author: str,
        message: str,
        text: str | None,
        runtime: Runtime,
    ) -> int:
        """Store a document on top of the version it is based on.

        Raises:
            ConflictError: that version is not the head.
            UnknownOutcomeError: nobody can tell whether it was stored.
            SourceUnavailableError: it was not stored.
        """

        def means_it(data: bytes) -> bool:
            try:
                loaded = self._parsed(data, runtime, self.name)
            except InvalidConfigurationError:
                return False
            return _document(loaded).digest == document.digest

        self._ensure()
        data = None if text is None else text.encode("utf-8", "surrogatepass")
        written = data is not None and means_it(data)
        if data is None or not written:
            data = _json(document)
            if not means_it(data):
                msg = "the document cannot be written as JSON and read back"
                fault = Fault(Code.E_VALUE, msg, place=Place(self.name))
                raise InvalidConfigurationError(fault)
        return self._store.put(
            self.key,
            data,
            expected=expected_version,
            author=author,
            message=message,
            digest=document.digest,
            # A text that was given is kept for its comments; without one the document
            # counts.
            same=None if written else means_it,
        )

    @hookimpl
    def history(self, limit: int) -> list[Version]:
        """Return the newest versions, newest first, with author and message."""
        listed = self._store.history(self.key, limit)
        head = self._store.head(self.key)
        if head is not None and head.version not in {row.version for row in listed}:
            listed.insert(0, attrs.evolve(head, author="", at=None))  # others wrote it
        return [
            Version(row.version, row.digest, row.author, row.message, row.at)
            for row in listed[:limit]
        ]

    @hookimpl
    def read_version(self, version: str | int, runtime: Runtime) -> Loaded:
        """Read one version that is kept.

        Raises:
            KeyError: it is not.
            InvalidConfigurationError: it is not as it was stored, or has faults.
        """
        number = int(version) if str(version).isdecimal() else 0
        if number not in _NUMBERS:
            msg = f"{self.name} keeps no version {version}"
            raise KeyError(msg)
        row = self._store.version(self.key, number)
        name = f"{self.name}@{number}"
        actual = hashlib.sha256(row.data).hexdigest()
        if row.is_sealed and row.hash != actual:
            command = self.settings.url.command("midflight db verify URI", self.key)
            raise InvalidConfigurationError(
                Fault(
                    Code.E_DIGEST,
                    f"version {number} is not as it was stored: history was altered",
                    place=Place(name),
                    found=actual,
                    expected=row.hash[:64],
                    hint=f"run: {command}",
                )
            )
        return self._loaded(row, runtime, name)

    @hookimpl(specname="stop")
    def close(self) -> None:
        """Close every connection; the next call of a hook opens another."""
        if self._stored is not None:
            self._stored.close()

    # -- inside ------------------------------------------------------------------

    @property
    def _store(self) -> Store:
        """The store; SQLAlchemy is imported only now."""
        with self._lock:
            if self._stored is None:
                from midflight_plugins.database._store import open_store

                self._stored = open_store(self.settings)
                # Nobody tells a source that it is no longer needed.
                weakref.finalize(self, self._stored.close)
            return self._stored

    def _ensure(self) -> None:
        """Create a SQLite database that is not there."""
        if not self._is_there:
            from midflight_plugins.database._schema import ensure

            ensure(self.settings)
            self._is_there = True

    def _absent(self) -> SourceUnavailableError:
        from midflight_plugins.database._schema import holds_none

        return holds_none(self.settings.url, self.key)

    def _check(self, row: Row) -> None:
        """Tell, or refuse, bytes that are not those their `hash` is of."""
        actual = hashlib.sha256(row.data).hexdigest()
        if row.hash == actual:
            return
        msg = f"the `hash` of version {row.version} is not the sha256 of its `data`"
        if self.settings.strict:
            raise InvalidConfigurationError(
                Fault(
                    Code.E_DIGEST,
                    msg,
                    place=Place(self.name),
                    found=row.hash[:64],
                    expected=actual,
                    hint="put the document again, so that its author is known",
                )
            )
        if self._warned != row.version:
            self._warned = row.version
            _log.warning("%s: %s: it was edited by others", self.name, msg)

    def _loaded(self, row: Row, runtime: Runtime, name: str) -> Loaded:
        loaded = self._parsed(row.data, runtime, name)
        text = loaded.text
        with contextlib.suppress(UnicodeDecodeError):
            text = row.data.decode("utf-8")
        return Loaded(
            loaded.document, row.version, loaded.positions, row.token or None, text
        )

    def _parsed(self, data: bytes, runtime: Runtime, name: str) -> Loaded:
        """Read JSON, if it looks like it, else YAML."""
        if not data.lstrip().startswith(b"{"):
            return runtime.parse(data, "yaml", name)
        try:
            return runtime.parse(data, "json", name)
        except InvalidConfigurationError:
            with contextlib.suppress(InvalidConfigurationError):
                return runtime.parse(data, "yaml", name)  # braces are YAML as well
            raise

    @contextlib.contextmanager
    def _watched(self, notify: Callable[[], None]) -> Generator[None]:
        from midflight_plugins.database._hub import watched

        self._ensure()
        with self._lock:
            self._watches += 1
        try:
            with watched(self.settings, self.key, notify):
                yield
        finally:
            with self._lock:
                self._watches -= 1
                last = self._watches == 0
            if last:
                self.close()


class _Once(AbstractContextManager[None]):
    """A context manager that may be left twice."""

    def __init__(self, inner: AbstractContextManager[None]) -> None:
        self._inner: AbstractContextManager[None] | None = inner

    def __enter__(self) -> None:
        if self._inner is not None:
            self._inner.__enter__()

    def __exit__(self, *exc: object) -> None:
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.__exit__(*exc)  # type: ignore[arg-type]  # what `with` gives


def _document(loaded: Loaded) -> Document:
    document = loaded.document
    return (
        document if isinstance(document, Document) else Document.from_mapping(document)
    )


def _json(document: Document) -> bytes:
    text = json.dumps(document.as_mapping(), indent=2, ensure_ascii=False)
    return f"{text}\n".encode()
