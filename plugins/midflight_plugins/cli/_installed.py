"""The distributions whose entry points cannot be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.metadata import distributions

REASON = "its entry_points.txt cannot be read: install it again"


def damaged() -> Iterator[tuple[str, str]]:
    """Yield name and version of each."""
    for each in distributions():
        try:
            _ = each.entry_points
        except Exception:  # noqa: BLE001  # whatever is wrong with the file
            name, version = "(unknown)", ""
            with contextlib.suppress(Exception):
                name, version = each.name.strip(), each.version.strip()
            yield name, version
