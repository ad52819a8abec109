"""How one thread looks at a database; the plain way, which works on any."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from midflight_plugins.database._url import Settings

if TYPE_CHECKING:
    from midflight_plugins.database._store import Store


@attrs.frozen
class Stir:
    """What a lookout noticed.

    Args:
        keys: documents that have changed.
        looks: seconds after which it is worth to look for what has changed.
    """

    keys: frozenset[str] = frozenset()
    looks: tuple[float, ...] = ()


class Lookout(Protocol):
    """Looks at one database over a connection of its own; used by one thread."""

    @property
    def pushes(self) -> bool:
        """Whether changes are noticed without a look."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What becomes readable when there is something to notice."""

    def open(self) -> None:
        """Connect, and begin to notice before anything is looked at."""

    def stirred(self) -> Stir:
        """Return what was noticed since, without waiting."""

    def tokens(self, keys: Collection[str]) -> dict[str, str]:
        """Return the tokens of those documents that are there."""

    def close(self) -> None:
        """Disconnect, whatever the state; harmless if there is no connection."""


class StoreLookout:
    """Asks the store, over the one connection of an engine of its own."""

    pushes = False
    descriptors: tuple[int, ...] = ()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None

    def open(self) -> None:
        """Connect."""
        from midflight_plugins.database._engine import open_engine
        from midflight_plugins.database._store import Store

        self._engine = open_engine(self._settings.url, self._settings.timeout)
        self._store = Store(self._engine, self._settings)

    def stirred(self) -> Stir:
        """Return that nothing was noticed."""
        return Stir()

    def tokens(self, keys: Collection[str]) -> dict[str, str]:
        """Return the tokens of those documents that are there."""
        assert self._store is not None
        return self._store.tokens(keys)

    def close(self) -> None:
        """Disconnect."""
        store, self._store, self.descriptors = self._store, None, ()
        if store is not None:
            self._engine.dispose()

    def connection(self) -> Any:
        """Return the driver's connection, the one that every look takes.

        It goes back to the pool at once: a single thread uses this engine, one
        connection at a time, so that the pool has no other to give.
        """
        from midflight_plugins.database._engine import errors_told

        with errors_told(self._settings.url):
            lent = self._engine.raw_connection()
        connection = lent.driver_connection
        lent.close()
        return connection
