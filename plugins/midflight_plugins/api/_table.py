"""All routes, of which each has a scope."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import overload

from midflight_plugins.api._routes import Route


class Table(Sequence[Route]):
    """Every route, made at the first look: what they take and give is much."""

    @functools.cached_property
    def _rows(self) -> tuple[Route, ...]:
        from midflight_plugins.api._reads import READS
        from midflight_plugins.api._writes import WRITES

        return (*READS, *WRITES)

    @overload
    def __getitem__(self, at: int) -> Route: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Route]: ...
    def __getitem__(self, at: int | slice) -> Route | Sequence[Route]:
        """Return one by its place, or some."""
        return self._rows[at]

    def __iter__(self) -> Iterator[Route]:
        """Look at one after the other."""
        return iter(self._rows)

    def __len__(self) -> int:
        """Count them."""
        return len(self._rows)


ROUTES = Table()
