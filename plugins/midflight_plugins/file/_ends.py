"""How far two versions of a file are alike from either end, without copying them."""

from __future__ import annotations

from collections.abc import Callable

_BLOCK = 1 << 16  # bytes compared at once


def common_prefix(one: bytes, other: bytes) -> int:
    """Return how many bytes are the same at the beginning."""
    view = memoryview(other)
    return _longest(
        min(len(one), len(other)), lambda a, b: one.startswith(view[a:b], a)
    )


def common_suffix(one: bytes, other: bytes, prefix: int) -> int:
    """Return how many bytes are the same at the end, behind a common prefix."""
    view, mine, theirs = memoryview(other), len(one), len(other)
    return _longest(
        min(mine, theirs) - prefix,
        lambda a, b: one.endswith(view[theirs - b : theirs - a], 0, mine - a),
    )


def _longest(most: int, same: Callable[[int, int], bool]) -> int:
    """Return the largest length up to which all is the same: by blocks, then halves.

    Args:
        most: the largest that may be.
        same: tells whether the bytes between two distances from the end are the same.
    """
    low = 0
    while low < most and same(low, min(low + _BLOCK, most)):
        low = min(low + _BLOCK, most)
    high = min(low + _BLOCK, most)
    while low < high:
        middle = (low + high + 1) // 2
        if same(low, middle):
            low = middle
        else:
            high = middle - 1
    return low
