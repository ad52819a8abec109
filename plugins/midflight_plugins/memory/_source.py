"""The source: a configuration in memory, with its versions."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import attrs

from midflight import Document, Fault, Loaded, Place, hookimpl
from midflight.errors import Code, ConflictError, InvalidConfigurationError, Path
from midflight.hookspecs import Version

Content = Document | Mapping[str, Any] | str
_EMPTY: Mapping[str, Any] = {}


@attrs.frozen
class _Stored:
    listed: Version
    content: Content
    text: str | None


class MemorySource:
    """A configuration in memory: a writable layer, and a source for tests and demos.

    Nothing outlives the process. As in a file, what is wrong in the content is found
    when it is loaded.

    Args:
        content: a document, a mapping, or JSON text; `None` is an empty configuration
            that has no version yet.
        name: how errors name the source, after `memory:`.
        keep: how many versions the history holds.
    """

    def __init__(
        self, content: Content | None = None, *, name: str = "", keep: int = 100
    ) -> None:
        self.name = f"memory:{name}" if name else "memory"
        self._keep = keep
        self._lock = threading.Lock()
        self._stored: list[_Stored] = []
        self._notify: list[Callable[[], None]] = []
        if content is not None:
            self.set(content)

    @classmethod
    def from_uri(cls, rest: str) -> MemorySource:
        """Make a source of nothing, a name, or a JSON object after `memory:`."""
        return cls(rest) if rest.lstrip().startswith("{") else cls(name=rest)

    @property
    def version(self) -> int | None:
        """The version at the head, from 1; `None` if nothing was stored yet."""
        head = self._head()
        return int(head.listed.version) if head else None

    def set(self, content: Content, *, author: str = "", message: str = "") -> int:
        """Replace the content, whatever its version, and return the new one.

        Args:
            content: a document, a mapping (which is copied), or JSON text.
            author: who did it, for the history.
            message: why, for the history.
        """
        with self._lock:
            version = self._store(content, author, message)
        self._hint()
        return version

    @hookimpl
    def hash(self) -> str:
        """Return the version at the head."""
        return str(self.version)

    @hookimpl
    def load(self) -> Loaded:
        """Return the content at the head, an empty mapping if there is none.

        Raises:
            InvalidConfigurationError: JSON text that is none, with line and column.
        """
        head = self._head()
        if head is None:
            return Loaded(_EMPTY, None, self._place, str(None))
        return self._loaded(head)

    @hookimpl
    def watch(self, notify: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `notify` after each change, on the thread that makes it."""
        return self._watched(notify)

    def put(
        self,
        document: Document,
        expected_version: str | int | None,
        author: str = "",
        message: str = "",
        text: str | None = None,
    ) -> int:
        """Store a document, with its text, on top of the version it is based on.

        What is equal to the head makes no new version.

        Raises:
            ConflictError: if that version is not the head.
        """
        with self._lock:
            if str(expected_version) != str(self.version):
                msg = (
                    f"{self.name}: the head is version {self.version}, not "
                    f"{expected_version}; read it again and repeat the change"
                )
                raise ConflictError(msg)
            head = self._head()
            if head is not None and self._is_alike(head, document, text):
                return int(head.listed.version)
            version = self._store(document, author, message, text)
        self._hint()
        return version

    # Of a hook, an argument with a default is not passed.
    @hookimpl(specname="put")
    def _put(
        self,
        document: Document,
        expected_version: str | int | None,
        author: str,
        message: str,
        text: str | None,
    ) -> int:
        return self.put(document, expected_version, author, message, text)

    @hookimpl
    def history(self, limit: int) -> list[Version]:
        """Return the versions that are kept, newest first."""
        with self._lock:
            return [each.listed for each in reversed(self._stored)][:limit]

    @hookimpl
    def read_version(self, version: str | int) -> Loaded:
        """Return one version that is kept.

        Raises:
            KeyError: if it is not.
        """
        with self._lock:
            stored = {str(each.listed.version): each for each in self._stored}
        if str(version) not in stored:
            msg = f"{self.name} keeps no version {version}"
            raise KeyError(msg)
        return self._loaded(stored[str(version)])

    # -- inside ------------------------------------------------------------------

    def _head(self) -> _Stored | None:
        stored = self._stored
        return stored[-1] if stored else None

    def _store(
        self, content: Content, author: str, message: str, text: str | None = None
    ) -> int:
        if isinstance(content, str):
            text = content
        elif not isinstance(content, Document):
            content = copy.deepcopy(content)
        version = (self.version or 0) + 1
        digest = content.digest if isinstance(content, Document) else ""
        listed = Version(version, digest, author, message, time.time())
        # A new list each time: who reads needs no lock.
        new = _Stored(listed, content, text)
        self._stored = [*self._stored, new][-self._keep :]
        return version

    def _is_alike(self, head: _Stored, document: Document, text: str | None) -> bool:
        found: Any = None
        with suppress(InvalidConfigurationError):
            found = self._loaded(head).document
            if not isinstance(found, Document):
                found = Document.from_mapping(found)
        return head.text == text and bool(found == document)

    def _loaded(self, stored: _Stored) -> Loaded:
        content = stored.content
        if isinstance(content, str):
            content = _parsed(content, self.name)
        elif not isinstance(content, Document):
            content = copy.deepcopy(content)
        version = stored.listed.version
        return Loaded(content, version, self._place, str(version), stored.text)

    def _place(self, _path: Path) -> Place:
        return Place(self.name)

    @contextmanager
    def _watched(self, notify: Callable[[], None]) -> Iterator[None]:
        self._notify.append(notify)
        try:
            yield
        finally:
            self._notify.remove(notify)

    def _hint(self) -> None:
        for notify in tuple(self._notify):
            notify()


def _parsed(text: str, name: str) -> Mapping[str, Any]:
    """Parse JSON text; a key that stands twice is refused."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in items]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            msg = f"key `{twice[0]}` stands twice in one object"
            fault = Fault(Code.E_DUPKEY, msg, place=Place(name), hint="remove one")
            raise InvalidConfigurationError(fault)
        return dict(items)

    try:
        value: Mapping[str, Any] = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as exc:
        place = Place(name, exc.lineno, exc.colno)
        fault = Fault(Code.E_SYNTAX, f"text is no JSON: {exc.msg.lower()}", place=place)
        raise InvalidConfigurationError(fault) from exc
    except (RecursionError, ValueError) as exc:
        fault = Fault(
            Code.E_SYNTAX, "text is no JSON that can be read", place=Place(name)
        )
        raise InvalidConfigurationError(fault) from exc
    return value
