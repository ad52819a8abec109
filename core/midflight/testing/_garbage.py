"""Collects what a clause leaves before the next one begins."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


class OwnGarbage:
    """What every contract has: a clause is blamed for its own garbage, and no other.

    Of a socket that nobody closed Python warns when it is collected, which would be in
    some later test. What was there before the clause is left out: it is not the
    clause's, and looking through it would take a hundred times as long.
    """

    @pytest.fixture(autouse=True)
    def own_garbage(self) -> Iterator[None]:
        """Collect what came up since, once all that the clause used is torn down."""
        gc.freeze()
        yield
        gc.collect()
        gc.unfreeze()
