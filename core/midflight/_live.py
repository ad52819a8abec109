"""Typed live settings: one plain attribute that always holds one generation."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.define(eq=False)
class Live(Generic[T]):
    """A typed view of one module's configuration, or of one section.

    `current` is replaced whole when a generation is applied. Keep it in a local
    variable to read several values of one generation.
    """

    name: str
    type: type[T] = attrs.field(repr=False)
    current: T = attrs.field(init=False, repr=False)  # may hold secrets
    # The frozen configuration that `current` was made of.
    seen: object = attrs.field(default=None, repr=False)
