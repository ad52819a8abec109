"""Typed live settings: one plain attribute that always holds one generation."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.define(eq=False, repr=False)
class Live(Generic[T]):
    """A typed view of one module's configuration, or of one section.

    `current` is replaced whole when a generation is applied. Keep it in a local
    variable to read several values of one generation.
    """

    name: str
    type: type[T]
    current: T = attrs.field(init=False)
    seen: object = None  # the frozen configuration that `current` was made of

    def __repr__(self) -> str:
        return f"Live({self.name!r})"  # `current` may hold secrets
