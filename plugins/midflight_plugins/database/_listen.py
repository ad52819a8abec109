"""PostgreSQL: changes are told by NOTIFY, as a hint; looks go over the connection too.

That one connection listens and looks: a look proves that it still hears.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from midflight_plugins.database._engine import unavailable
from midflight_plugins.database._lookout import Stir, StoreLookout
from midflight_plugins.database._tables import CHANNEL
from midflight_plugins.database._url import Settings

_log = logging.getLogger("midflight.database")
_LOOK = (0.0,)


class PostgresLookout(StoreLookout):
    """Listens where it looks."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._connection: Any = None
        self._refused = False

    def open(self) -> None:
        """Connect, and listen before anything is looked at."""
        super().open()
        self._connection = self.connection()
        self.pushes = self._listens()
        self.descriptors = (self._connection.fileno(),)

    def stirred(self) -> Stir:
        """Return the documents that notifications name.

        Raises:
            SourceUnavailableError: the connection ended.
        """
        import psycopg

        keys: set[str] = set()
        looks: tuple[float, ...] = ()
        try:
            for notification in self._connection.notifies(timeout=0):
                if notification.channel == CHANNEL:
                    key = _key(notification.payload)
                    if key is None:
                        looks = _LOOK
                    else:
                        keys.add(key)
        except psycopg.Error as exc:
            raise unavailable(exc, self._settings.url) from None
        return Stir(frozenset(keys), looks)

    def close(self) -> None:
        """Disconnect."""
        self._connection, self.pushes = None, False
        super().close()

    def _listens(self) -> bool:
        import psycopg

        try:
            self._connection.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error as exc:
            error = unavailable(exc, self._settings.url)
            if self._connection.closed:
                raise error from None
            if not self._refused:  # a standby, say, listens to nobody
                _log.warning("%s; looks alone find changes", error)
            self._refused = True
            return False
        return True


def _key(payload: str) -> str | None:
    """Return the document that a notification names; `None` if it is junk."""
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    key = told.get("key") if isinstance(told, dict) else None
    return key if isinstance(key, str) else None
